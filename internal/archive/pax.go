package archive

import (
	"strings"
	"unicode/utf8"
)

// paxRecords returns the records that archive/tar does not make by itself.
func paxRecords(e *Entry) map[string]string {
	binary := !utf8.ValidString(e.Name) || !utf8.ValidString(e.Linkname)
	if len(e.Xattrs) == 0 && !binary {
		return nil
	}
	records := make(map[string]string, len(e.Xattrs)+1)
	for key, value := range e.Xattrs {
		records["SCHILY.xattr."+escapeKeyword(key)] = value
	}
	if binary { // names are bytes: bsdtar and Python would else guess a character set
		records["hdrcharset"] = "BINARY"
	}
	return records
}

// escapeKeyword encodes an attribute's name as GNU tar does: the first "=" of
// a record ends its keyword.
func escapeKeyword(key string) string {
	if !strings.ContainsAny(key, "=%") {
		return key
	}
	return strings.NewReplacer("%", "%25", "=", "%3D").Replace(key)
}
