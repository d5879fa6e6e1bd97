package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"strconv"
)

// heads follows the header blocks that archive/tar reads for one entry. It hides
// those that only say something of the next block: which of two names holds when
// two of them say one is not the same to all programs.
type heads struct {
	at     int64 // offset of the next byte of a header block
	block  ustar
	filled int   // bytes of block that were seen
	size   int64 // that the last block claims
	kind   byte  // of the last block
	found  bool  // the entry's own block was seen

	extended, names, links int    // headers of type x, L and K before it
	records                []byte // that the last of type x holds
	peek, empty            bool   // the next byte is a name's first; a name without one was seen
}

// begin waits for the next entry's first block.
func (h *heads) begin() {
	h.filled, h.found = 0, false
	h.extended, h.names, h.links = 0, 0, 0
	h.peek, h.empty, h.records = false, false, h.records[:0]
}

// take sees the bytes that archive/tar reads on its way to the next entry.
func (h *heads) take(offset int64, p []byte) {
	for len(p) > 0 && !h.found {
		if h.peek {
			h.peek, h.empty = false, h.empty || p[0] == 0
		}
		n := int(min(h.at-offset, int64(len(p)))) // padding, and what a header holds
		switch {
		case n > 0 && h.extended > 0 && h.kind == tar.TypeXHeader: // archive/tar reads no more than 1 MiB of it
			h.records = append(h.records, p[:min(int64(n), max(0, h.size-int64(len(h.records))))]...)
		case n <= 0:
			n = copy(h.block[h.filled:], p)
			h.filled += n
			h.at += int64(n)
		}
		offset += int64(n)
		p = p[n:]
		if h.filled == blockSize {
			h.filled = 0
			h.whole()
		}
	}
}

// whole takes a block that was seen to its end.
func (h *heads) whole() {
	h.kind, h.size = h.block[156], numeric(h.block[124:136])
	switch h.kind {
	case tar.TypeXHeader:
		h.extended++
		h.records = h.records[:0]
	case tar.TypeGNULongName:
		h.names++
	case tar.TypeGNULongLink:
		h.links++
	default:
		h.found = true
		return
	}
	if h.kind != tar.TypeXHeader {
		h.peek, h.empty = h.size > 0, h.empty || h.size == 0
	}
	h.skip(h.size)
}

// skip passes over content and what fills up its last block.
func (h *heads) skip(size int64) {
	h.at += (size + blockSize - 1) &^ (blockSize - 1)
}

// entry takes what archive/tar has made of the blocks, and where in the stream
// it stands now, to find the next ones. It is an error when these are not the
// blocks that it read.
func (h *heads) entry(header *tar.Header, offset int64) error {
	size, start := h.size, h.at
	switch h.kind {
	case tar.TypeXGlobalHeader:
		start += size
	case tar.TypeGNUSparse: // its map may go on in blocks of its own
		start = max(offset, start)
		h.at = start
	}
	astray := offset != start && (offset < start || !isSparse(header)) // a map of holes may have been read
	if !h.found || astray {
		return errors.New("its headers are of a form that programs read in different ways")
	}
	if stored := header.PAXRecords["size"]; stored != "" && h.kind != tar.TypeXGlobalHeader {
		size, _ = strconv.ParseInt(stored, 10, 64) // archive/tar has refused what is no number
	}
	switch header.Typeflag {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo:
		return nil // whatever size they claim
	}
	h.skip(size)
	return nil
}

// helpers counts the headers that say something of the next block.
func (h *heads) helpers() int { return h.extended + h.names + h.links }

// doubt says why the headers before an entry's own are not read by all programs
// as archive/tar reads them.
func (h *heads) doubt() error {
	switch {
	case h.kind == tar.TypeXGlobalHeader && h.helpers() > 0:
		return errors.New("a global header stands between an entry and what is said of it: programs differ in what that entry is")
	case h.extended > 0 && h.helpers() > h.extended:
		return errors.New("has an extended header (x) and one of GNU's for long names (L or K): programs differ in which of the two holds")
	case h.extended > 1 || h.names > 1 || h.links > 1:
		return errors.New("has two headers of one kind before its own: programs differ in which of the two holds")
	case h.empty:
		return errors.New("has a header for a long name, and none is in it: programs differ in what holds instead")
	}
	return nil
}

// numeric reads a number of a header block as archive/tar does, which has
// refused the block when it is none.
func numeric(field []byte) int64 {
	if field[0]&0x80 != 0 { // base 256
		n := int64(field[0] & 0x3f)
		for _, b := range field[1:] {
			n = n<<8 | int64(b)
		}
		return n
	}
	n := int64(0)
	for _, b := range bytes.TrimLeft(field, " \x00") {
		if b < '0' || b > '7' {
			break
		}
		n = n<<3 | int64(b-'0')
	}
	return n
}
