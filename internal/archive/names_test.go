package archive

import (
	"slices"
	"testing"

	"gotest.tools/v3/assert"
)

func TestPathsSortAsAWalkMeetsThem(t *testing.T) {
	want := []string{"-", "a", "a/-", "a/b", "a/b/c", "a/b-", "a-", "a-/x", "aa", "b", "\xff"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, comparePaths)
	assert.DeepEqual(t, got, want)
	for i := range want {
		assert.Equal(t, comparePaths(want[i], want[i]), 0)
	}
}

func TestOnlyCleanNamesBelowTheArchiveAreNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"./a": true, "./a/b": true, "./...": true, "./a/..b": true, "./\xff": true, "./a\n": true,
		"": false, ".": false, "./": false, "/": false, "/a": false, "a": false, "../a": false,
		"./..": false, "./a/..": false, "./a/../b": false, "./a/.": false, "./a/": false, "./a//b": false, ".//a": false, "./a\x00": false,
	} {
		_, err := relative(name)
		assert.Equal(t, err == nil, ok, "%q", name)
	}
}

func TestWithinIsAboutWholeElements(t *testing.T) {
	assert.Assert(t, within("a/b", "a"))
	assert.Assert(t, within("a/b", ""))
	assert.Assert(t, within("a", "a"))
	assert.Assert(t, !within("ab", "a"))
	assert.Assert(t, !within("a", "a/b"))
}
