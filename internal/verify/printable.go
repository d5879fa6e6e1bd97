package verify

import (
	"strconv"
	"strings"
	"unicode"
)

// printable makes what a stranger wrote fit for a line on a terminal: no control characters, and not longer than most
// characters.
func printable(s string, most int) string {
	var out strings.Builder
	for n, r := range []rune(s[:min(len(s), 4*most+4)]) {
		switch {
		case n == most:
			return out.String() + "…"
		case unicode.IsPrint(r):
			out.WriteRune(r)
		default:
			out.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return out.String()
}
