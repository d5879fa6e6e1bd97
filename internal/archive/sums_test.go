package archive

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func TestLinesAreThoseThatSha256sumWrites(t *testing.T) {
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("needs sha256sum")
	}
	dir := t.TempDir()
	for _, name := range []string{"./plain", "./-dash", "./line\nfeed", "./back\\slash", "./\xff", "./ blank ", "./*star"} {
		assert.NilError(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600))
		cmd := exec.CommandContext(t.Context(), "sha256sum", name)
		cmd.Dir = dir
		want, err := cmd.Output()
		assert.NilError(t, err)
		digest := sha256.Sum256([]byte(name))
		assert.Equal(t, string(appendSumLine(nil, digest[:], name)), string(want))
	}
}

func TestDamageIsFoundBeyondTheFingerprints(t *testing.T) {
	s := newSumCheck(0) // as if there were too many files to keep one each
	s.expect([]byte("digest"), "name")
	list := appendSumLine(nil, []byte("digesT"), "name")
	_, err := s.Write(list)
	assert.NilError(t, err)
	problems, more := s.verdict()
	assert.DeepEqual(t, problems, []Problem{{Entry: sumsName, Text: "does not match the archive's content"}})
	assert.Equal(t, more, 0)
}

func TestTheListMayComeInPiecesOfAnySize(t *testing.T) {
	list := appendSumLine(nil, []byte("digest"), strings.Repeat("long", 3000))
	list = appendSumLine(list, []byte("digest"), "b")
	for size := 1; size <= len(list); size++ {
		s := newSumCheck(maxFingerprints)
		s.expect([]byte("digest"), strings.Repeat("long", 3000))
		s.expect([]byte("digest"), "b")
		for rest := list; len(rest) > 0; {
			n := min(size, len(rest))
			_, err := s.Write(rest[:n])
			assert.NilError(t, err)
			rest = rest[n:]
		}
		problems, more := s.verdict()
		assert.Equal(t, len(problems)+more, 0, "%v", problems)
		assert.Equal(t, s.astray, "")
	}
}

func TestEveryDamagedFileIsNamed(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, t.TempDir())
	assert.NilError(t, err)
	const files = 3 * maxProblems
	assert.NilError(t, w.WriteManifest(&Manifest{Volumes: []Volume{{Name: "v", Entries: files + 1, Bytes: 8 * files}}}))
	assert.NilError(t, w.WriteEntry(dir("./v/"), nil))
	for i := range files {
		assert.NilError(t, w.WriteEntry(regular(fmt.Sprintf("./v/\\%03d\n", i), 8), text(fmt.Sprintf("damage%02d", i%100))))
	}
	assert.NilError(t, w.WriteReport(&Report{}))
	assert.NilError(t, w.Close())

	damaged := bytes.ReplaceAll(out.Bytes(), []byte("damage07"), []byte("damagE07"))
	s, err := Check(bytes.NewReader(damaged), nil)
	assert.NilError(t, err)
	assert.Equal(t, s.More, 0)
	assert.Equal(t, len(s.Problems), 3, "%v", s.Problems)
	for i, problem := range s.Problems {
		assert.DeepEqual(t, problem, Problem{
			Entry: fmt.Sprintf("./v/\\%03d\n", 7+100*i), Text: fmt.Sprintf("its content is not what line %d of SHA256SUMS says", 9+100*i),
		})
	}
	assert.Assert(t, s.Complete)
	assert.Assert(t, s.HeadersProven, "the headers are")

	s, err = Check(bytes.NewReader(bytes.ReplaceAll(out.Bytes(), []byte("damage"), []byte("DAMAGE"))), nil)
	assert.NilError(t, err)
	assert.Equal(t, len(s.Problems), maxProblems)
	assert.Equal(t, s.More, files-maxProblems)
}
