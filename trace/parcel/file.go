package parcel

import (
	"crypto/sha256"
	"errors"
	"hash"
	"os"
)

// partial ends the name of a file that is being written.
const partial = ".part"

// digested is a file that is summed as it is written, under a name of its own until
// it is whole.
type digested struct {
	file *os.File
	name string // when it is whole
	sum  hash.Hash
	size int64
	room *int64 // bytes that are left, of all files of a package
}

func newDigested(name string, room *int64) (*digested, error) {
	// It holds personal data: nobody but its owner reads the file.
	f, err := os.OpenFile(name+partial, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	return &digested{file: f, name: name, sum: sha256.New(), room: room}, err
}

// Write implements io.Writer.
func (d *digested) Write(p []byte) (int, error) {
	if *d.room -= int64(len(p)); *d.room < 0 {
		return 0, errTooLarge
	}
	n, err := d.file.Write(p)
	d.sum.Write(p[:n])
	d.size += int64(n)
	return n, err
}

// keep gives the file its name once it is on disk.
func (d *digested) keep() error {
	if err := errors.Join(d.file.Sync(), d.file.Close()); err != nil {
		return err
	}
	return os.Rename(d.file.Name(), d.name)
}

// discard leaves nothing of a file that was not kept.
func (d *digested) discard() {
	_ = d.file.Close()           // it may be closed already
	_ = os.Remove(d.file.Name()) // it is not there where it was kept
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
