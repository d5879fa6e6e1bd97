package archive

import (
	"encoding/binary"
	"strings"
)

const (
	blockSize = 512
	nameSize  = 100 // what name and linkname of a block hold

	// The largest numbers that the octal fields of a block hold.
	maxOctal8  = 0o7777777
	maxOctal12 = 0o77777777777
)

// ustar is a header block. What does not fit into its fields is left blank, and
// is in the extended header before it.
type ustar [blockSize]byte

// start begins a block of root's, from 1970.
func (u *ustar) start(name []byte, kind byte, size int64) {
	*u = ustar{156: kind}
	short(u[0:nameSize], name)
	copy(u[257:], "ustar\x0000")
	octal(u[100:108], 0)
	octal(u[108:116], 0)
	octal(u[116:124], 0)
	octal(u[124:136], fit(size, maxOctal12))
	octal(u[136:148], 0)
	octal(u[329:337], 0)
	octal(u[337:345], 0)
}

// describe fills in what an entry says of itself.
func (u *ustar) describe(e *Entry) {
	octal(u[100:108], int64(e.Mode&0o7777))
	octal(u[108:116], fit(int64(e.UID), maxOctal8))
	octal(u[116:124], fit(int64(e.GID), maxOctal8))
	octal(u[136:148], fit(e.ModTime.Unix(), maxOctal12))
	octal(u[329:337], e.DevMajor)
	octal(u[337:345], e.DevMinor)
	short(u[157:157+nameSize], e.Linkname)
}

// seal appends the block with its checksum, which counts itself as blanks.
func (u *ustar) seal(dst []byte) []byte {
	copy(u[148:156], "        ")
	octal(u[148:155], u.sum())
	return append(dst, u[:]...)
}

// sum adds up the block's bytes, eight at a time: the even and the odd ones in
// lanes of 16 bits, which 64 words cannot overflow.
func (u *ustar) sum() int64 {
	const lanes = 0x00ff00ff00ff00ff
	var even, odd uint64
	for i := 0; i < blockSize; i += 8 {
		word := binary.LittleEndian.Uint64(u[i:])
		even += word & lanes
		odd += word >> 8 & lanes
	}
	sum := int64(0)
	for shift := 0; shift < 64; shift += 16 {
		sum += int64(even>>shift&0xffff) + int64(odd>>shift&0xffff)
	}
	return sum
}

// octal fills a field with digits and a closing zero byte.
func octal(field []byte, n int64) {
	last := len(field) - 1
	field[last] = 0
	for i := last - 1; i >= 0; i-- {
		field[i] = byte('0' + n&7)
		n >>= 3
	}
}

func fit(n, limit int64) int64 {
	if n < 0 || n > limit {
		return 0
	}
	return n
}

// short fills a field with a name, or for one that does not fit with what
// readers without extended headers can make of it.
func short[T string | []byte](field []byte, name T) {
	if fitsName(name) {
		copy(field, name)
		return
	}
	for i := range min(len(name), len(field)) {
		field[i] = name[i]
		if name[i] < ' ' || name[i] > '~' {
			field[i] = '_'
		}
	}
}

// fitsName says whether a block can hold a name as it is.
func fitsName[T string | []byte](name T) bool {
	if len(name) > nameSize {
		return false
	}
	for i := range len(name) {
		if name[i] >= 0x80 {
			return false
		}
	}
	return true
}

// appendBeside renders a name for a helper entry, in a folder next to the
// entry's own.
func appendBeside(dst []byte, name, folder string) []byte {
	name = strings.TrimSuffix(name, "/")
	dir := strings.LastIndexByte(name, '/') + 1
	dst = append(dst, name[:dir]...)
	dst = append(dst, folder...)
	return append(dst, name[dir:]...)
}

// padded fills up the last block.
func padded(b []byte) []byte {
	return append(b, zeros[:-len(b)&(blockSize-1)]...)
}
