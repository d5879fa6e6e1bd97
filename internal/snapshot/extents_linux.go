package snapshot

import (
	"errors"
	"slices"

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
		if len(found) == archive.MaxExtents {
			found = thinned(found)
		}
		found = append(found, archive.Extent{Offset: data, Length: end - data})
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

// thinned fills the smaller half of the holes, so that a file of a million
// regions keeps those that matter most.
func thinned(found []archive.Extent) []archive.Extent {
	holes := make([]int64, 0, len(found))
	for i := 1; i < len(found); i++ {
		holes = append(holes, hole(found[i-1], found[i]))
	}
	slices.Sort(holes)
	half := len(holes) / 2
	limit := holes[half]
	below, _ := slices.BinarySearch(holes[:half], limit)
	ties := half - below // of the holes of exactly that size

	fewer := found[:1]
	for _, x := range found[1:] {
		last := &fewer[len(fewer)-1]
		size := hole(*last, x)
		if size == limit {
			ties--
		}
		if size < limit || size == limit && ties >= 0 {
			last.Length = x.Offset + x.Length - last.Offset
		} else {
			fewer = append(fewer, x)
		}
	}
	return fewer
}

// hole is the size of the hole between two regions.
func hole(a, b archive.Extent) int64 { return b.Offset - (a.Offset + a.Length) }
