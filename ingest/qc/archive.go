package qc

// An archive holds series by device and channel. The readings of a frame follow
// each other, so that one look-up among all devices mostly serves all of them:
// with a hundred thousand series it is the memory that must be waited for.
type archive struct {
	devices map[string]*shelf
	series  int
	last    *shelf // of the last look-up that found something
}

// A shelf holds the series of one device, which are few.
type shelf struct {
	device string
	series []*series
}

func newArchive() *archive { return &archive{devices: map[string]*shelf{}} }

func (a *archive) find(device, channel string) *series {
	of := a.last
	if of == nil || of.device != device {
		if of = a.devices[device]; of == nil {
			return nil
		}
		a.last = of
	}
	for _, se := range of.series {
		if se.channel == channel {
			return se
		}
	}
	return nil
}

// add keeps a series that is not there yet; false where there is no room.
func (a *archive) add(device string, se *series) bool {
	if a.series >= MaxSeries {
		return false
	}
	of := a.devices[device]
	if of == nil {
		of = &shelf{device: device}
		a.devices[device] = of
	}
	of.series = append(of.series, se)
	a.series++
	return true
}

// forget drops the series that are older than Unix milliseconds.
func (a *archive) forget(before int64) {
	a.last = nil
	for device, of := range a.devices {
		kept := of.series[:0]
		for _, se := range of.series {
			if se.last >= before {
				kept = append(kept, se)
			}
		}
		a.series -= len(of.series) - len(kept)
		clear(of.series[len(kept):])
		if of.series = kept; len(kept) == 0 {
			delete(a.devices, device)
		}
	}
}
