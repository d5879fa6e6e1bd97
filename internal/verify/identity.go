package verify

import (
	"cmp"
	"slices"
	"strings"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// said counts who says what, for a question that all should answer alike.
type said struct{ answers []answer }

type answer struct {
	value string
	entry string // the first that gives it
	count int
	leads bool // the controller's or the proxy's, which a leftover of another version is not
}

func (s *said) add(value, entry string, leads bool) {
	if value == "" || len(value) > maxIdentity {
		return
	}
	i := slices.IndexFunc(s.answers, func(a answer) bool { return a.value == value })
	if i < 0 {
		if len(s.answers) == maxIdentities {
			return
		}
		s.answers = append(s.answers, answer{value: value, entry: entry})
		i = len(s.answers) - 1
	}
	s.answers[i].count++
	s.answers[i].leads = s.answers[i].leads || leads
}

// most is the answer that most give, of equals the controller's, of these the first; and the others.
func (s *said) most() (string, []answer) {
	if len(s.answers) == 0 {
		return "", nil
	}
	sorted := slices.Clone(s.answers)
	slices.SortStableFunc(sorted, func(a, b answer) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(rank(b), rank(a)))
	})
	return sorted[0].value, sorted[1:]
}

func rank(a answer) int {
	if a.leads {
		return 1
	}
	return 0
}

// judge hands on what was found and says which UCP the archive is of: version and instance ID, empty where nothing says.
func (r *records) judge(l *level, era Era, manifest *archive.Manifest) (version, instance string) {
	r.level.handTo(l)
	if era == EraNone {
		return "", ""
	}
	version = r.answer(l, "UCP's version", &r.versions)
	if version == "" {
		version = r.answer(l, "UCP's version", &r.tags)
	}
	instance = r.answer(l, "UCP's instance ID", &r.ids)
	switch {
	case manifest != nil:
		return differs(l, ofVersion, manifest.UCP.Version, version), differs(l, "instance ID", manifest.UCP.InstanceID, instance)
	case version == "" && era == EraStopped:
		l.note("", "no record says of which version of UCP this backup is; archives up to 3.1 need not hold one")
	case version == "" && era == EraOnline:
		l.warn("", "no record says of which version of UCP this backup is, and a restore has to be of the same version")
	}
	return version, instance
}

func (r *records) answer(l *level, what string, s *said) string {
	value, others := s.most()
	for _, other := range others[:min(len(others), 5)] {
		l.warn(other.entry, "says that %s is %s, most say %s", what, printable(other.value, maxIdentity), printable(value, maxIdentity))
	}
	return printable(value, maxIdentity)
}

const ofVersion = "version"

// differs holds what most containers say against the manifest, which counts.
func differs(l *level, what, manifest, records string) string {
	isFirst := func(version string) bool { return strings.HasPrefix(version, "1.") }
	switch {
	case records != "" && what == ofVersion && isFirst(manifest) && !isFirst(records): // which asks for fewer volumes
		l.fault(manifestEntry, "says that UCP's %s is %s, the containers say %s", what, printable(manifest, maxIdentity), records)
	case records != "" && manifest != "" && manifest != records:
		l.warn(manifestEntry, "says that UCP's %s is %s, the containers say %s", what, printable(manifest, maxIdentity), records)
	case manifest == "":
		return records
	}
	return printable(manifest, maxIdentity)
}

// handTo gives another level what was found on the way.
func (l *level) handTo(to *level) {
	for _, f := range l.findings {
		to.add(f.Severity, f.Entry, "%s", []any{f.Text})
	}
	to.faults, to.warnings, to.more = to.faults+l.faults, to.warnings+l.warnings, to.more+l.more
}
