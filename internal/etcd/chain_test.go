package etcd

import (
	"slices"
	"testing"

	"gotest.tools/v3/assert"
)

func TestChainWantsOneLog(t *testing.T) {
	names, files := logFiles(t)
	whole := readLog(t, names, files)
	for name, test := range map[string]struct {
		change func(s []Segment) []Segment
		want   string // empty for a log all the same
	}{
		"as etcd left it":         {func(s []Segment) []Segment { return s }, ""},
		"older files are removed": {func(s []Segment) []Segment { return s[2:] }, ""},
		"the newest is torn":      {func(s []Segment) []Segment { s[4].Torn = true; return s }, ""},
		"a snapshot covers a gap": {func(s []Segment) []Segment { s[4].FirstIndex, s[4].Snapshots = 750, []Position{{2, 749}}; return s }, ""},
		"entries are replaced": {func(s []Segment) []Segment {
			s[3].Commit, s[4].firstHard.commit = 700, 700
			s[4].FirstIndex = 701
			return s
		}, ""},
		"there are no files":                {func([]Segment) []Segment { return nil }, "no files"},
		"one in the middle is missing":      {func(s []Segment) []Segment { return slices.Delete(s, 2, 3) }, "between " + names[1] + " and " + names[3] + " a file of the log is missing"},
		"one is there twice":                {func(s []Segment) []Segment { s[2] = s[1]; return s }, "is missing"},
		"one in the middle is torn":         {func(s []Segment) []Segment { s[1].Torn = true; return s }, names[1] + ": it is not whole"},
		"a checksum does not fit":           {func(s []Segment) []Segment { s[2].FirstCRC++; return s }, "begins with the checksum"},
		"one is of another member":          {func(s []Segment) []Segment { s[2].MemberID++; return s }, "of another member"},
		"one is of another cluster":         {func(s []Segment) []Segment { s[2].ClusterID++; return s }, "of another member or cluster"},
		"the first begins with a checksum":  {func(s []Segment) []Segment { s[0].Sequence = 0; return s[:1] }, "it is the first file of the log"},
		"entries are missing between files": {func(s []Segment) []Segment { s[3].FirstIndex = 610; return s }, "entry 610 follows entry 606"},
		"a committed entry is replaced":     {func(s []Segment) []Segment { s[3].FirstIndex = 600; return s }, "replaces one that is committed"},
		"the term goes back":                {func(s []Segment) []Segment { s[3].firstHard.term = 1; return s }, "goes back behind the state"},
		"the commit goes back":              {func(s []Segment) []Segment { s[3].firstHard.commit = 1; return s }, "goes back behind the state"},
		"more is committed than there is":   {func(s []Segment) []Segment { s[4].Commit = 800; return s }, "entries up to 800 are committed, and the log ends with entry 759"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Chain(test.change(slices.Clone(whole)))
			if test.want == "" {
				assert.NilError(t, err)
				return
			}
			assert.ErrorContains(t, err, test.want)
			assert.ErrorIs(t, err, ErrDamaged)
		})
	}
}
