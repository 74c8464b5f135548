package journal

// Opened for the external tests of the stored format.
var (
	EncodeFrame       = encodeFrame
	DecodeFrame       = decodeFrame
	DecodeFrames      = decodeFrames
	AppendGrouped     = appendGrouped
	EncodeQuarantined = encodeQuarantined
	DecodeQuarantined = decodeQuarantined
	Token             = token
	DeviceOf          = deviceOf
	PartitionOf       = partition
)
