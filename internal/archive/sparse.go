package archive

import (
	"archive/tar"
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

const blockSize = 512

// sparseHeader writes the headers of a PAX 1.0 sparse entry: an extended
// header, the ustar block, and the map of data regions, which counts as the
// beginning of the content. archive/tar reads these but does not write them.
func (w *Writer) sparseHeader(e *Entry, stored int64) error {
	if err := w.tar.Flush(); err != nil { // pads the entry before
		return err
	}
	dir, base := path.Split(e.Name)
	regions := sparseMap(e)
	header := ustar{
		name: dir + "GNUSparseFile.0/" + base, kind: tar.TypeReg, mode: int64(e.Mode & 0o7777),
		uid: int64(e.UID), gid: int64(e.GID), size: int64(len(regions)) + stored, mtime: e.ModTime,
	}
	records := paxRecords(e)
	if records == nil {
		records = map[string]string{}
	}
	records["GNU.sparse.major"] = "1"
	records["GNU.sparse.minor"] = "0"
	records["GNU.sparse.name"] = e.Name
	records["GNU.sparse.realsize"] = strconv.FormatInt(e.Size, 10)
	header.spill(records)

	extended := encodeRecords(records)
	if len(extended) > maxExtended {
		return fmt.Errorf("name and attributes of %d bytes: %w", len(extended), tar.ErrFieldTooLong)
	}
	announce := ustar{name: dir + "PaxHeaders.0/" + base, kind: tar.TypeXHeader, size: int64(len(extended))}
	for _, part := range [][]byte{announce.block(), padded(extended), header.block(), regions} {
		if _, err := w.out.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// maxExtended is the longest extended header that Go's reader takes.
const maxExtended = 1 << 20

// pad fills the last block of a sparse entry.
func (w *Writer) pad(stored int64) error {
	_, err := w.out.Write(zeros[:-stored&(blockSize-1)])
	return err
}

// sparseMap renders the regions, one decimal number a line, count first. GNU
// tar needs an empty region at the end of a file that ends with a hole.
func sparseMap(e *Entry) []byte {
	extents := e.Extents
	if n := len(extents); n == 0 || extents[n-1].Offset+extents[n-1].Length < e.Size {
		extents = append(slices.Clip(extents), Extent{Offset: e.Size})
	}
	text := strconv.AppendInt(nil, int64(len(extents)), 10)
	text = append(text, '\n')
	for _, x := range extents {
		text = strconv.AppendInt(text, x.Offset, 10)
		text = append(text, '\n')
		text = strconv.AppendInt(text, x.Length, 10)
		text = append(text, '\n')
	}
	return padded(text)
}

func padded(b []byte) []byte {
	return append(b, zeros[:-len(b)&(blockSize-1)]...)
}

// encodeRecords renders an extended header's records, sorted, each with its
// own length in front, which counts its own digits.
func encodeRecords(records map[string]string) []byte {
	var text []byte
	for _, key := range slices.Sorted(maps.Keys(records)) {
		rest := len(key) + len(records[key]) + len(" =\n")
		size := rest + len(strconv.Itoa(rest))
		size = rest + len(strconv.Itoa(size))
		text = fmt.Appendf(text, "%d %s=%s\n", size, key, records[key])
	}
	return text
}

// ustar is the header block of an entry.
type ustar struct {
	name                 string
	kind                 byte
	mode, uid, gid, size int64
	mtime                time.Time
}

// The largest numbers that the octal fields of a header block hold.
const (
	maxOctal8  = 0o7777777
	maxOctal12 = 0o77777777777
)

// spill moves to records what the block cannot say.
func (u *ustar) spill(records map[string]string) {
	spill := func(key string, n *int64, limit int64) {
		if *n > limit {
			records[key] = strconv.FormatInt(*n, 10)
			*n = 0
		}
	}
	spill("uid", &u.uid, maxOctal8)
	spill("gid", &u.gid, maxOctal8)
	spill("size", &u.size, maxOctal12)
	seconds := u.mtime.Unix()
	if u.mtime.Nanosecond() != 0 || seconds < 0 || seconds > maxOctal12 {
		records["mtime"] = paxTime(u.mtime)
		u.mtime = time.Unix(min(max(seconds, 0), maxOctal12), 0)
	}
}

// paxTime renders a time as a decimal number of seconds. Before 1970 the
// fraction counts away from zero, as in the number itself.
func paxTime(t time.Time) string {
	seconds, nanos := t.Unix(), t.Nanosecond()
	sign := ""
	if seconds < 0 {
		sign = "-"
		seconds, nanos = -seconds, -nanos
		if nanos < 0 {
			seconds, nanos = seconds-1, nanos+1e9
		}
	}
	if nanos == 0 {
		return sign + strconv.FormatInt(seconds, 10)
	}
	return strings.TrimRight(fmt.Sprintf("%s%d.%09d", sign, seconds, nanos), "0")
}

// block renders the header with its checksum. The name is only for readers
// that know no extended headers.
func (u *ustar) block() []byte {
	b := make([]byte, blockSize)
	copy(b[0:100], asciiOnly(u.name))
	octal(b[100:108], u.mode)
	octal(b[108:116], u.uid)
	octal(b[116:124], u.gid)
	octal(b[124:136], u.size)
	octal(b[136:148], max(u.mtime.Unix(), 0))
	copy(b[148:156], "        ") // the checksum counts itself as blanks
	b[156] = u.kind
	copy(b[257:], "ustar\x0000")
	octal(b[329:337], 0)
	octal(b[337:345], 0)
	sum := int64(0)
	for _, c := range b {
		sum += int64(c)
	}
	octal(b[148:155], sum)
	return b
}

// octal fills a field with digits and a closing zero byte.
func octal(field []byte, n int64) {
	copy(field, fmt.Sprintf("%0*o", len(field)-1, n))
	field[len(field)-1] = 0
}

func asciiOnly(name string) string {
	return strings.Map(func(r rune) rune {
		if cmp.Compare(r, ' ') < 0 || r > '~' {
			return '_'
		}
		return r
	}, name)
}
