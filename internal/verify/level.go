package verify

import "fmt"

// maxFindings bounds what one level keeps; of more, a person reads none.
const maxFindings = 100

// level gathers what is found on one level until its verdict is asked for.
type level struct {
	name     string
	findings []Finding
	more     int
	faults   int
	warnings int
	sound    string // the summary when nothing is wrong
}

func (l *level) note(entry, format string, args ...any) { l.add(Note, entry, format, args) }

func (l *level) warn(entry, format string, args ...any) {
	l.warnings++
	l.add(Warning, entry, format, args)
}

func (l *level) fault(entry, format string, args ...any) {
	l.faults++
	l.add(Fault, entry, format, args)
}

func (l *level) add(severity Severity, entry, format string, args []any) {
	if len(l.findings) == maxFindings {
		l.more++
		return
	}
	l.findings = append(l.findings, Finding{Severity: severity, Entry: entry, Text: fmt.Sprintf(format, args...)})
}

// close gives the level its verdict. One that was broken off is not judged,
// unless what was seen of it is enough to find it unsound; otherwise says why.
func (l *level) close(judged bool, otherwise string) Level {
	done := Level{Name: l.name, Verdict: Sound, Summary: l.sound, Findings: l.findings, More: l.more}
	switch {
	case l.faults > 0:
		done.Verdict, done.Summary = Unsound, l.first(Fault)
	case !judged:
		done.Verdict, done.Summary = NotJudged, otherwise
	case l.warnings > 0:
		done.Verdict = SoundWithWarnings
	}
	if done.Findings == nil {
		done.Findings = []Finding{} // a reader in any language meets a list and never null
	}
	return done
}

// first is the first finding of a severity, with its place. A fault that was
// not kept any more follows a hundred findings that say enough.
func (l *level) first(severity Severity) string {
	more := ""
	if l.faults > 1 {
		more = fmt.Sprintf(" (and %d more)", l.faults-1)
	}
	for _, f := range l.findings {
		if f.Severity != severity {
			continue
		}
		if f.Entry == "" {
			return f.Text + more
		}
		return f.Entry + ": " + f.Text + more
	}
	return "more is wrong than is listed"
}
