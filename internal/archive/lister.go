package archive

import (
	"archive/tar"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// Lister prints a line for each entry as "tar --list --verbose" of GNU tar 1.34
// does in a UTF-8 locale: mode, owner and group, by name where the archive has
// names, size, time of last change on the clock of where it is printed, name.
// Whatever could drive a terminal, or turn the direction of its text, is
// escaped, the names of owners too.
type Lister struct {
	to    io.Writer
	owner int // width of owner, group and size, which grows with what has come
	when  int // width of the time
	line  []byte
	size  []byte
}

// Where GNU tar begins (ugswidth and datewidth in its src/list.c).
const (
	ownerWidth = 19
	whenWidth  = len("2006-01-02 15:04")
)

// NewLister returns a Lister that prints to w, one Write for each line.
func NewLister(w io.Writer) *Lister {
	return &Lister{to: w, owner: ownerWidth, when: whenWidth}
}

// Entry prints the line of an entry.
func (l *Lister) Entry(h *tar.Header) error {
	line := appendMode(l.line[:0], h)
	line = append(line, ' ')
	start := len(line)
	line = appendOwner(line, h.Uname, h.Uid)
	line = append(line, '/')
	line = appendOwner(line, h.Gname, h.Gid)
	l.size = appendSize(l.size[:0], h)
	used := len(line) - start + len(" ") + len(l.size)
	l.owner = max(l.owner, used)
	line = append(line, ' ')
	line = appendBlanks(line, l.owner-used)
	line = append(line, l.size...)

	line = append(line, ' ')
	start = len(line)
	line = appendMinute(line, h.ModTime.Local())
	used = len(line) - start
	l.when = max(l.when, used)
	line = appendBlanks(line, l.when-used)

	line = append(line, ' ')
	line = appendEscaped(line, h.Name)
	switch h.Typeflag {
	case tar.TypeSymlink:
		line = appendEscaped(append(line, " -> "...), h.Linkname)
	case tar.TypeLink:
		line = appendEscaped(append(line, " link to "...), h.Linkname)
	}
	line = append(line, '\n')
	l.line = line
	if _, err := l.to.Write(l.line); err != nil {
		return fmt.Errorf("list the archive: %w", err)
	}
	return nil
}

// appendMode renders kind and permissions as ls does.
func appendMode(dst []byte, h *tar.Header) []byte {
	dst = append(dst, kindLetter(h.Typeflag))
	for shift := 6; shift >= 0; shift -= 3 {
		bits := h.Mode >> shift
		dst = append(dst, flag(bits&4 != 0, 'r'), flag(bits&2 != 0, 'w'))
		special := h.Mode>>9>>(shift/3)&1 != 0
		switch run := bits&1 != 0; {
		case !special:
			dst = append(dst, flag(run, 'x'))
		case shift == 0 && run:
			dst = append(dst, 't')
		case shift == 0:
			dst = append(dst, 'T')
		case run:
			dst = append(dst, 's')
		default:
			dst = append(dst, 'S')
		}
	}
	return dst
}

func kindLetter(typeflag byte) byte {
	switch typeflag {
	case tar.TypeDir:
		return 'd'
	case tar.TypeSymlink:
		return 'l'
	case tar.TypeLink:
		return 'h'
	case tar.TypeFifo:
		return 'p'
	case tar.TypeChar:
		return 'c'
	case tar.TypeBlock:
		return 'b'
	default:
		return '-'
	}
}

func flag(set bool, letter byte) byte {
	if set {
		return letter
	}
	return '-'
}

func appendOwner(dst []byte, name string, id int) []byte {
	if name == "" {
		return strconv.AppendInt(dst, int64(id), 10)
	}
	return appendEscaped(dst, name)
}

func appendSize(dst []byte, h *tar.Header) []byte {
	switch h.Typeflag {
	case tar.TypeChar, tar.TypeBlock:
		dst = strconv.AppendInt(dst, h.Devmajor, 10)
		dst = append(dst, ',')
		return strconv.AppendInt(dst, h.Devminor, 10)
	case tar.TypeLink: // some archives have the size of what it leads to
		return append(dst, '0')
	default:
		return strconv.AppendInt(dst, h.Size, 10)
	}
}

func appendMinute(dst []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, _ := t.Clock()
	return fmt.Appendf(dst, "%d-%02d-%02d %02d:%02d", year, month, day, hour, minute)
}

func appendBlanks(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, ' ')
	}
	return dst
}

// appendEscaped renders a name as the quoting style "escape" of GNU tar does:
// letters for the controls that have one, three octal digits for each other
// byte that cannot be shown.
func appendEscaped(dst []byte, name string) []byte {
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		shownAs, named := controls[name[i]]
		switch {
		case named:
			dst = append(dst, '\\', shownAs)
		case unicode.IsGraphic(r) && (r != utf8.RuneError || size > 1):
			dst = append(dst, name[i:i+size]...)
		default:
			for _, b := range []byte(name[i : i+size]) {
				dst = append(dst, '\\', '0'+b>>6, '0'+b>>3&7, '0'+b&7)
			}
		}
		i += size
	}
	return dst
}

// controls have a letter of their own behind the backslash.
var controls = map[byte]byte{
	'\\': '\\', '\a': 'a', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't', '\v': 'v',
}
