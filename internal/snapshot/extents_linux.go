package snapshot

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// extents returns a file's regions of data, nil if it has no holes. Space that
// was allocated and never written is a hole: etcd's logs end with 64 MB of it.
func extents(fd int, stat *unix.Stat_t) ([]archive.Extent, error) {
	size := stat.Size
	if size == 0 || size <= inlineSize && stat.Blocks*512 >= size {
		return nil, nil // not worth two calls on each small file
	}
	var found []archive.Extent
	var merge int64 // holes up to here count as data
	for at := int64(0); at < size; {
		data, err := unix.Seek(fd, at, unix.SEEK_DATA)
		switch {
		case errors.Is(err, unix.ENXIO): // no data from here on
			data = size
		case unsupported(err):
			return nil, nil
		case err != nil:
			return nil, err
		}
		if data >= size {
			break
		}
		end, err := unix.Seek(fd, data, unix.SEEK_HOLE)
		if err != nil {
			return nil, err
		}
		if end <= data {
			return nil, ErrChanged
		}
		end = min(end, size)
		found = appendExtent(found, archive.Extent{Offset: data, Length: end - data}, merge)
		if len(found) == archive.MaxExtents {
			found, merge = thinned(found, merge)
		}
		at = end
	}
	return bounded(found, size), nil
}

// bounded gives an extent list its form: nil for a file without holes, and one
// empty region at the end for a file that is nothing but a hole.
func bounded(found []archive.Extent, size int64) []archive.Extent {
	switch {
	case len(found) == 0:
		return []archive.Extent{{Offset: size}}
	case len(found) == 1 && found[0].Length == size:
		return nil
	default:
		return found
	}
}

// appendExtent adds a region, or joins it to the last one across a small hole.
func appendExtent(found []archive.Extent, x archive.Extent, merge int64) []archive.Extent {
	if n := len(found); n > 0 {
		last := &found[n-1]
		if x.Offset-(last.Offset+last.Length) <= merge {
			last.Length = x.Offset + x.Length - last.Offset
			return found
		}
	}
	return append(found, x)
}

// thinned joins regions across ever larger holes until half of the possible
// number is left, so that a file of a million holes still fits.
func thinned(found []archive.Extent, merge int64) ([]archive.Extent, int64) {
	for len(found) > archive.MaxExtents/2 {
		merge = max(2*merge, 4096)
		fewer := found[:0]
		for _, x := range found {
			fewer = appendExtent(fewer, x, merge)
		}
		found = fewer
	}
	return found, merge
}

// unsupported says whether a call is unknown to the file system.
func unsupported(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) ||
		errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTTY)
}
