package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"time"
)

// MaxExtents is the largest number of data regions that an entry may have: the
// map of more would not fit into the 1 MiB that Go's reader takes.
const MaxExtents = 16384

// Entry is one file of a volume, as it will stand in the archive.
type Entry struct {
	Name     string // "./ucp-kv/data/x", raw bytes; a folder's name ends in "/"
	Type     byte   // tar typeflag: TypeReg, TypeDir, TypeSymlink, TypeLink, TypeFifo, TypeChar, TypeBlock
	Mode     uint32 // 12 bits: permissions, setuid, setgid, sticky
	UID      int
	GID      int
	ModTime  time.Time
	Linkname string // a symlink's text, or the full name of a hard link's first name
	Size     int64  // logical, holes included; regular files only
	DevMajor int64
	DevMinor int64
	Xattrs   map[string]string
	Extents  []Extent // data regions of a sparse file, sorted; nil says all of it is data
}

// Extent is a region of a sparse file that holds data.
type Extent struct {
	Offset, Length int64
}

// Stored is the number of content bytes that the archive holds for the entry.
func (e *Entry) Stored() int64 {
	if e.Type != tar.TypeReg {
		return 0
	}
	if e.Extents == nil {
		return e.Size
	}
	var n int64
	for _, x := range e.Extents {
		n += x.Length
	}
	return n
}

// validate refuses a header that no reader could act upon. Names and order are
// for layout to judge.
func (e *Entry) validate() error {
	if e.UID < 0 || e.GID < 0 || e.DevMajor != fit(e.DevMajor, maxOctal8) || e.DevMinor != fit(e.DevMinor, maxOctal8) {
		return fmt.Errorf("owner %d:%d or device %d:%d is no possible number", e.UID, e.GID, e.DevMajor, e.DevMinor)
	}
	switch e.Type {
	case tar.TypeReg:
		if e.Size < 0 {
			return fmt.Errorf("size %d is negative", e.Size)
		}
		return e.validateExtents()
	case tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeFifo, tar.TypeChar, tar.TypeBlock:
		if e.Size != 0 || e.Extents != nil {
			return errors.New("only a regular file has content")
		}
		return nil
	default:
		return fmt.Errorf("unknown kind %q", e.Type)
	}
}

func (e *Entry) validateExtents() error {
	if len(e.Extents) > MaxExtents {
		return fmt.Errorf("%d regions of data, %d are possible", len(e.Extents), MaxExtents)
	}
	end := int64(0)
	for _, x := range e.Extents {
		if x.Offset < end || x.Length < 0 || x.Length > e.Size-x.Offset {
			return fmt.Errorf("region of %d bytes at %d is out of order or beyond the end", x.Length, x.Offset)
		}
		end = x.Offset + x.Length
	}
	return nil
}
