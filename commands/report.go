package commands

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/docker-ucp/docker-ucp/internal/verify"
)

// longestCell bounds what of a name in an archive is shown: a path may have thousands of bytes.
const longestCell = 400

// printReport tells a result as a table for people, a write for each line; last comes the verdict in words, of what is
// sound.
func printReport(w io.Writer, r *verify.Result) error {
	out := &report{w: w}
	for _, level := range r.Levels {
		name := level.Name
		if name == verify.LevelUCP {
			name = "UCP"
		}
		out.row(name, string(level.Verdict), level.Summary)
		for _, f := range level.Findings {
			out.finding(f, level.Summary)
		}
		if level.More > 0 {
			out.line(fmt.Sprintf("  and %d more", level.More))
		}
	}
	out.facts(r)
	if r.Verdict != verify.Unsound { // else the error says it, on standard error
		out.line(shown(cmp.Or(r.File, standardInput)) + ": " + cell(r.Words))
	}
	return out.err
}

// report writes lines and keeps the first error. What stands in an archive is chosen by others, and may not reach a
// terminal that would obey it.
type report struct {
	w   io.Writer
	err error
}

func (o *report) line(text string) {
	if o.err == nil {
		if _, err := io.WriteString(o.w, strings.TrimRight(text, " ")+"\n"); err != nil {
			o.err = fmt.Errorf("print the result: %w", err)
		}
	}
}

// row is a level.
func (o *report) row(name, verdict, text string) {
	o.line(fmt.Sprintf("%-8s %-11s %s", name, verdict, cell(text)))
}

// finding leaves out what the level's own line says already.
func (o *report) finding(f verify.Finding, summary string) {
	text := f.Text
	if f.Entry != "" {
		text = f.Entry + ": " + text
	}
	if text == summary {
		return
	}
	text = cell(f.Text)
	if f.Entry != "" {
		text = cell(f.Entry) + ": " + text
	}
	o.line(fmt.Sprintf("  %-7s  %s", f.Severity, text))
}

// facts are what the archive says of itself, as far as it does.
func (o *report) facts(r *verify.Result) {
	if r.Era == verify.EraNone || r.Era == "" {
		return
	}
	o.fact("backup", origin(r))
	if r.Etcd != nil {
		o.fact("etcd", store(r.Etcd))
	}
	if len(r.Certificates) > 0 {
		first := slices.MinFunc(r.Certificates, func(a, b verify.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
		o.fact("certs", fmt.Sprintf("%s; the first to expire, on %s, is that of %s",
			number(len(r.Certificates), "certificate"), first.NotAfter.UTC().Format(time.DateOnly), first.Entry))
	}
	if r.License != "" && judged(r, verify.LevelUCP) {
		o.fact("license", r.License)
	}
}

// judged says that a level was looked at to its end.
func judged(r *verify.Result, level string) bool {
	return !slices.ContainsFunc(r.Levels, func(l verify.Level) bool {
		return l.Name == level && l.Verdict == verify.NotJudged
	})
}

func (o *report) fact(name, text string) { o.line(fmt.Sprintf("%-8s %s", name, cell(text))) }

// origin tells where a backup comes from.
func origin(r *verify.Result) string {
	text := "UCP " + known(r.Version)
	if r.InstanceID != "" {
		text += ", instance " + r.InstanceID
	}
	if r.Created != nil {
		text += ", taken " + r.Created.UTC().Format("2006-01-02 15:04 UTC")
	}
	if r.Node != "" {
		text += " on " + r.Node
	}
	switch r.Era {
	case verify.EraOurs:
		return text + ", by docker-ucp"
	case verify.EraStopped:
		return text + ", by the vendor's backup up to 3.1"
	case verify.EraOnline:
		return text + ", by the vendor's backup of 3.2 and later"
	case verify.EraNone:
	}
	return text
}

func store(e *verify.Etcd) string {
	var parts []string
	switch {
	case e.MemberID != "" && e.ClusterID != "":
		parts = append(parts, "member "+e.MemberID+" of cluster "+e.ClusterID)
	case e.ClusterID != "":
		parts = append(parts, "cluster "+e.ClusterID)
	}
	return strings.Join(append(parts, fmt.Sprintf("revision %d", e.Revision), number(len(e.Members), "member")), ", ")
}

func number(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// cell makes a text fit for a line of the table: nothing that a terminal would obey, no line of its own, no end that
// is out of sight.
func cell(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
	if runes := []rune(text); len(runes) > longestCell {
		return string(runes[:longestCell]) + "…"
	}
	return text
}
