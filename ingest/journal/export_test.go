package journal

// Opened for the external tests of the stored format.
var (
	EncodeFrame       = encodeFrame
	DecodeFrame       = decodeFrame
	AppendFrames      = appendFrames
	AppendGrouped     = appendGrouped
	EncodeQuarantined = encodeQuarantined
	DecodeQuarantined = decodeQuarantined
	Token             = token
	DeviceOf          = deviceOf
	PartitionOf       = partition
)

// WithoutReserve lets frames fill the disk to the last byte.
func (o Options) WithoutReserve() Options {
	o.reserve = 1
	return o
}
