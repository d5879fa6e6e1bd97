package archive

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// records is the text of an extended header: lines of "length key=value".
type records struct {
	text []byte
	keys []string // of attributes, for sorting
	num  []byte   // a number's digits
}

// charset says that names are bytes, where bsdtar and Python would otherwise
// guess a character set. It comes first, to hold for all that follow.
func (r *records) charset(e *Entry) {
	if !utf8.ValidString(e.Name) || !utf8.ValidString(e.Linkname) {
		r.add("hdrcharset", "BINARY")
	}
}

// rest adds what the entry's block cannot hold, but for its name.
func (r *records) rest(e *Entry, size int64) {
	if !fitsName(e.Linkname) {
		r.add("linkpath", e.Linkname)
	}
	r.number("uid", int64(e.UID), maxOctal8)
	r.number("gid", int64(e.GID), maxOctal8)
	r.number("size", size, maxOctal12)
	if seconds := e.ModTime.Unix(); seconds != fit(seconds, maxOctal12) || e.ModTime.Nanosecond() != 0 {
		r.num = appendTime(r.num[:0], e.ModTime)
		addRecord(r, "mtime", r.num)
	}
	r.attributes(e.Xattrs)
}

// sparse adds what makes an entry a sparse one of version 1.0.
func (r *records) sparse(e *Entry) {
	r.add("GNU.sparse.major", "1")
	r.add("GNU.sparse.minor", "0")
	r.add("GNU.sparse.name", e.Name)
	r.number("GNU.sparse.realsize", e.Size, -1)
}

// attributes adds extended attributes, sorted, with the names that Schilling's
// star gave them and everyone took over.
func (r *records) attributes(xattrs map[string]string) {
	if len(xattrs) == 0 {
		return
	}
	r.keys = r.keys[:0]
	for key := range xattrs {
		r.keys = append(r.keys, key)
	}
	slices.Sort(r.keys)
	for _, key := range r.keys {
		r.add("SCHILY.xattr."+escapeKeyword(key), xattrs[key])
	}
}

// number adds a number beyond a limit.
func (r *records) number(key string, n, limit int64) {
	if n > limit {
		r.num = strconv.AppendInt(r.num[:0], n, 10)
		addRecord(r, key, r.num)
	}
}

func (r *records) add(key, value string) { addRecord(r, key, value) }

// addRecord adds a record behind its length, which counts its own digits.
func addRecord[T string | []byte](r *records, key string, value T) {
	rest := len(key) + len(value) + len(" =\n")
	size := rest + digits(rest)
	size = rest + digits(size)
	r.text = strconv.AppendInt(r.text, int64(size), 10)
	r.text = append(r.text, ' ')
	r.text = append(r.text, key...)
	r.text = append(r.text, '=')
	r.text = append(r.text, value...)
	r.text = append(r.text, '\n')
}

func digits(n int) int {
	d := 1
	for ; n >= 10; n /= 10 {
		d++
	}
	return d
}

// appendTime renders a time as a decimal number of seconds. Before 1970 the
// fraction counts away from zero, as in any number.
func appendTime(dst []byte, t time.Time) []byte {
	seconds, nanos := t.Unix(), int64(t.Nanosecond())
	if seconds < 0 {
		dst = append(dst, '-')
		seconds = -seconds
		if nanos > 0 {
			seconds, nanos = seconds-1, 1e9-nanos
		}
	}
	dst = strconv.AppendInt(dst, seconds, 10)
	if nanos == 0 {
		return dst
	}
	dst = append(dst, '.')
	for digit := int64(1e8); nanos > 0; digit /= 10 { // no zeros behind the last digit
		dst = append(dst, "0123456789"[nanos/digit])
		nanos %= digit
	}
	return dst
}

// escapeKeyword encodes an attribute's name as GNU tar does, since the first
// "=" of a record ends its keyword.
func escapeKeyword(key string) string {
	if !strings.ContainsAny(key, "=%") {
		return key
	}
	return keywordEscaper.Replace(key)
}

var keywordEscaper = strings.NewReplacer("%", "%25", "=", "%3D")
