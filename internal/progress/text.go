package progress

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// amount writes a count for people; bytes in powers of ten, as docker does.
func amount(n int64, unit Unit) string {
	if unit == Items {
		return strconv.FormatInt(n, 10)
	}
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, prefix := float64(n)/1000, 0
	// 999.95 and above would round up to "1000.0".
	for value >= 999.95 && prefix < len("kMGTPE")-1 {
		value /= 1000
		prefix++
	}
	return fmt.Sprintf("%.1f %cB", value, "kMGTPE"[prefix])
}

func amountOf(done, total int64, unit Unit) string {
	if unit == Items {
		return fmt.Sprintf("%d of %d", done, total)
	}
	return amount(done, unit) + " of " + amount(total, unit)
}

// span writes a duration for people: tenths below ten seconds, whole seconds above.
func span(d time.Duration) string {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// escapeArgs makes arguments harmless while they are formatted, when it is still known which part of a message is
// ours and which a stranger's: a line break in a volume's name may not look like the start of a line of our own.
func escapeArgs(args []any) []any {
	safe := make([]any, len(args))
	for i, arg := range args {
		safe[i] = foreign{arg}
	}
	return safe
}

// foreign formats its value as any verb asks, and escapes what comes of it.
type foreign struct{ value any }

// Format implements fmt.Formatter. An error may span lines, as errors.Join makes them; its further lines are indented.
func (v foreign) Format(f fmt.State, verb rune) {
	text := fmt.Sprintf(fmt.FormatString(f, verb), v.value)
	if _, isError := v.value.(error); isError {
		text = strings.ReplaceAll(escapeMessage(text), "\n", "\n  ")
	} else {
		text = escape(text)
	}
	_, _ = io.WriteString(f, text) // a fmt.State buffers: it cannot fail
}

// escape makes every character visible that a terminal would obey or hide.
func escape(s string) string { return escapeExcept(s, "") }

// escapeMessage leaves what the text of a message needs: line breaks and tabs.
func escapeMessage(s string) string { return escapeExcept(s, "\n\t") }

func escapeExcept(s, kept string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r) || strings.ContainsRune(kept, r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		s = s[size:]
	}
	return b.String()
}
