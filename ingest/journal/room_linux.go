package journal

import "syscall"

// room returns how many bytes may still be written to the file system of dir;
// false where that is not known.
func room(dir string) (free uint64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}
