package archive

import (
	"archive/tar"
	"fmt"
)

// maxExtended is the longest extended header that Go's reader takes.
const maxExtended = 1 << 20

// extendedFolder is the folder beside an entry in which its extended header
// stands, for readers that do not know them.
const extendedFolder = "PaxHeaders.0/"

// header renders the headers of entries into buffers that it keeps. The package
// archive/tar, which reads them all in Check, writes no sparse entries, and of
// a small file's time its headers take a third.
type header struct {
	records records
	regions []byte
	name    []byte // as the block has it
	helper  []byte // name of the extended header
	block   ustar
	out     []byte
}

// render returns an entry's complete header: an extended header where a block
// cannot say it all, the block, and for a sparse file the map of its regions,
// which counts as the beginning of the content. The result is good until the
// next call.
func (h *header) render(e *Entry) ([]byte, error) {
	h.records.text = h.records.text[:0]
	h.regions = h.regions[:0]
	h.name = append(h.name[:0], e.Name...)
	size := e.Size
	h.records.charset(e)
	if e.Extents != nil {
		h.regions = appendRegions(h.regions, e)
		h.name = appendBeside(h.name[:0], e.Name, "GNUSparseFile.0/")
		size = int64(len(h.regions)) + e.Stored()
		h.records.sparse(e)
	} else if !fitsName(e.Name) {
		h.records.add("path", e.Name)
	}
	h.records.rest(e, size)

	h.out = h.out[:0]
	if n := len(h.records.text); n > maxExtended {
		return nil, fmt.Errorf("name and attributes of %d bytes: %w", n, tar.ErrFieldTooLong)
	} else if n > 0 {
		h.helper = appendBeside(h.helper[:0], e.Name, extendedFolder)
		h.block.start(h.helper, tar.TypeXHeader, int64(n))
		h.out = h.block.seal(h.out)
		h.out = padded(append(h.out, h.records.text...))
	}
	h.block.start(h.name, e.Type, size)
	h.block.describe(e)
	h.out = h.block.seal(h.out)
	return append(h.out, h.regions...), nil
}
