package archive

import (
	"archive/tar"
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"gotest.tools/v3/assert"
)

// rawBlock is a header block of a kind that no writer here makes.
func rawBlock(name string, kind byte, size int64, link string) []byte {
	var u ustar
	u.start([]byte(name), kind, size)
	copy(u[157:157+nameSize], link)
	return u.seal(nil)
}

// rawFile is an entry of one block of content.
func rawFile(name string) []byte {
	return padded(append(rawBlock(name, tar.TypeReg, 5, ""), "hello"...))
}

// pax is an extended header of keys and values; of type g it is a global one.
func pax(kind byte, pairs ...string) []byte {
	var r records
	for pair := range slices.Chunk(pairs, 2) {
		r.add(pair[0], pair[1])
	}
	return padded(append(rawBlock("x", kind, int64(len(r.text)), ""), r.text...))
}

// gnuLong is GNU's header for a long name (L) or link (K).
func gnuLong(kind byte, text string) []byte {
	return padded(append(rawBlock("././@LongLink", kind, int64(len(text)), ""), text...))
}

// beside puts pieces of a tar between entries that are fine.
func beside(pieces ...[]byte) []byte {
	all := append([][]byte{rawFile("./v/before")}, pieces...)
	return append(slices.Concat(append(all, rawFile("./v/behind"))...), make([]byte, 2*blockSize)...)
}

// contradictions are entries that are not the same to all programs.
var contradictions = map[string]struct {
	tar   []byte
	entry string
	want  string
}{
	"a path, and then a long name of GNU's":  {beside(pax('x', "path", "./v/x"), gnuLong('L', "./v/l\x00"), rawFile("./v/f")), "./v/l", "(L or K)"},
	"a long name of GNU's, and then a path":  {beside(gnuLong('L', "./v/l\x00"), pax('x', "path", "./v/x"), rawFile("./v/f")), "./v/l", "(L or K)"},
	"a linkpath and a long link of GNU's":    {beside(pax('x', "linkpath", "x"), gnuLong('K', "l\x00"), rawBlock("./v/f", '2', 0, "f")), "./v/f", "(L or K)"},
	"two extended headers":                   {beside(pax('x', "path", "./v/x"), pax('x', "mtime", "5"), rawFile("./v/f")), "./v/f", "two headers"},
	"two long names":                         {beside(gnuLong('L', "./v/1\x00"), gnuLong('L', "./v/2\x00"), rawFile("./v/f")), "./v/2", "two headers"},
	"two long links":                         {beside(gnuLong('K', "1\x00"), gnuLong('K', "2\x00"), rawBlock("./v/f", '2', 0, "f")), "./v/f", "two headers"},
	"two long names around a long link":      {beside(gnuLong('L', "./v/1\x00"), gnuLong('K', "2\x00"), gnuLong('L', "./v/2\x00"), rawFile("./v/f")), "./v/2", "two headers"},
	"an empty long name":                     {beside(gnuLong('L', "\x00"), rawFile("./v/f")), "./v/f", "none is in it"},
	"a long name of no bytes":                {beside(gnuLong('L', ""), rawFile("./v/f")), "./v/f", "none is in it"},
	"a global header within an entry":        {beside(pax('x', "path", "./v/x"), pax('g', "comment", "c"), rawFile("./v/f")), "x", "global header"},
	"a global header that is not valid":      {beside(pax('g', "GNU.sparse.name", "./v/x", "uid", "root"), rawFile("./v/f")), "x", "not valid"},
	"an empty path":                          {beside(pax('x', "path", ""), rawFile("./v/f")), "./v/f", `empty "path"`},
	"an empty linkpath":                      {beside(pax('x', "linkpath", ""), rawBlock("./v/f", '2', 0, "f")), "./v/f", `empty "linkpath"`},
	"an empty size":                          {beside(pax('x', "size", ""), rawFile("./v/f")), "./v/f", `empty "size"`},
	"a size with a sign":                     {beside(pax('x', "size", "+5"), rawFile("./v/f")), "./v/f", "no plain number"},
	"a hard link with content":               {beside(pax('x', "size", "1024"), rawBlock("./v/f", '1', 0, "./v/before")), "./v/f", "hard link"},
	"a name of a sparse file, and no map":    {beside(pax('x', "GNU.sparse.name", "./v/s"), rawFile("./v/f")), "./v/f", "no known version"},
	"such a name and a path":                 {beside(pax('x', "GNU.sparse.name", "./v/s", "path", "./v/p"), rawFile("./v/f")), "./v/p", "no known version"},
	"a size with holes, and no map":          {beside(pax('x', "GNU.sparse.size", "0"), rawFile("./v/f")), "./v/f", "no known version"},
	"a real size, and no map":                {beside(pax('x', "GNU.sparse.realsize", "0"), rawFile("./v/f")), "./v/f", "no known version"},
	"an empty map":                           {beside(pax('x', "GNU.sparse.map", "", "GNU.sparse.numblocks", "0", "GNU.sparse.size", "9"), rawFile("./v/f")), "./v/f", "no known version"},
	"an unknown version of sparse files":     {beside(pax('x', "GNU.sparse.major", "2", "GNU.sparse.minor", "0", "GNU.sparse.name", "./v/s", "GNU.sparse.realsize", "5"), rawFile("./v/f")), "./v/f", "no known version"},
	"a map of 0.1 without a size":            {beside(pax('x', "GNU.sparse.numblocks", "1", "GNU.sparse.map", "0,5"), rawFile("./v/f")), "./v/f", "no known version"},
	"a map of 0.1 with two sizes":            {beside(pax('x', "GNU.sparse.numblocks", "1", "GNU.sparse.map", "0,5", "GNU.sparse.size", "5", "GNU.sparse.realsize", "6"), rawFile("./v/f")), "./v/f", "no known version"},
	"version 1.0 without a name":             {beside(pax('x', "GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.realsize", "5", "size", "517"), rawSparse()), "./v/f", "no known version"},
	"version 1.0 with an empty name":         {beside(pax('x', "GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.realsize", "5", "GNU.sparse.name", "", "size", "517"), rawSparse()), "./v/f", "no known version"},
	"a map of 0.1 after regions of 0.0":      {beside(pax('x', "GNU.sparse.size", "9", "GNU.sparse.numblocks", "1", "GNU.sparse.offset", "0", "GNU.sparse.numbytes", "5", "GNU.sparse.map", "4,5"), rawFile("./v/f")), "./v/f", "no known version"},
	"regions of 0.0 before their number":     {beside(pax('x', "GNU.sparse.size", "9", "GNU.sparse.offset", "0", "GNU.sparse.numbytes", "5", "GNU.sparse.numblocks", "1"), rawFile("./v/f")), "./v/f", "no known version"},
	"a number of regions twice":              {beside(pax('x', "GNU.sparse.numblocks", "1", "GNU.sparse.size", "9", "GNU.sparse.offset", "0", "GNU.sparse.numbytes", "5", "GNU.sparse.numblocks", "1"), rawFile("./v/f")), "./v/f", "no known version"},
	"a map of 0.1 twice":                     {beside(pax('x', "GNU.sparse.size", "9", "GNU.sparse.numblocks", "1", "GNU.sparse.map", "0,5", "GNU.sparse.map", "4,5"), rawFile("./v/f")), "./v/f", "no known version"},
	"version 1.0 with a map of 0.1 besides":  {beside(pax('x', "GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.realsize", "5", "GNU.sparse.name", "./v/s", "GNU.sparse.map", "0,5", "size", "517"), rawSparse()), "./v/s", "no known version"},
	"version 1.0 with a second size besides": {beside(pax('x', "GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.realsize", "9", "GNU.sparse.name", "./v/s", "GNU.sparse.size", "5", "size", "517"), rawSparse()), "./v/s", "no known version"},
}

// rawSparse is an entry of version 1.0, its map as its first block.
func rawSparse() []byte {
	return padded(append(padded(append(rawBlock("./v/f", tar.TypeReg, 517, ""), "1\n0\n5\n"...)), "hello"...))
}

func TestWhatProgramsReadInDifferentWaysIsUnsafe(t *testing.T) {
	for name, c := range contradictions {
		t.Run(name, func(t *testing.T) {
			var seen recorder
			s, err := Check(iotest.OneByteReader(bytes.NewReader(c.tar)), &seen)
			assert.NilError(t, err)
			assert.Equal(t, len(s.Problems), 1, "%v", s.Problems)
			assert.Equal(t, s.Problems[0].Entry, c.entry)
			assert.Assert(t, s.Problems[0].Unsafe)
			assert.Assert(t, strings.Contains(s.Problems[0].Text, c.want), s.Problems[0].Text)
			assert.Assert(t, s.Complete)
			assert.Assert(t, !slices.Contains(seen.names, c.entry))
			assert.Equal(t, seen.names[len(seen.names)-1], "./v/behind")
		})
	}
}

// TestGNUTarReadsAnotherName shows why two names for one entry are refused.
func TestGNUTarReadsAnotherName(t *testing.T) {
	if _, err := exec.LookPath("tar"); err != nil {
		t.Skip("needs tar")
	}
	archive := contradictions["a path, and then a long name of GNU's"].tar
	cmd := exec.CommandContext(t.Context(), "tar", "--list")
	cmd.Stdin = bytes.NewReader(archive)
	out, err := cmd.Output()
	assert.NilError(t, err)
	assert.Equal(t, string(out), "./v/before\n./v/x\n./v/behind\n")
	var names []string
	for _, m := range takeApart(t, archive) {
		names = append(names, m.header.Name)
	}
	assert.DeepEqual(t, names, []string{"./v/before", "./v/l", "./v/behind"})
}

func TestWhatProgramsReadInTheSameWayIsRead(t *testing.T) {
	for name, archive := range map[string][]byte{
		"a long link and a long name":         beside(gnuLong('K', "l\x00"), gnuLong('L', "./v/l\x00"), rawBlock("./v/f", '2', 0, "f")),
		"a long name and a long link":         beside(gnuLong('L', "./v/l\x00"), gnuLong('K', "l\x00"), rawBlock("./v/f", '2', 0, "f")),
		"one of each kind in turn":            beside(gnuLong('L', "./v/l\x00"), rawFile("./v/f"), pax('x', "path", "./v/x"), rawFile("./v/f")),
		"a long name of exactly a block":      beside(gnuLong('L', "./v/"+strings.Repeat("n/", 253)+"n\x00"), rawFile("./v/f")),
		"a hard link with a size of its file": beside(rawBlock("./v/f", '1', 5, "./v/before")),
		"a global header before all of it":    beside(pax('g', "comment", "c"), pax('x', "path", "./v/x"), rawFile("./v/f")),
		"a sparse file of version 1.0": beside(pax('x', "GNU.sparse.major", "1", "GNU.sparse.minor", "0",
			"GNU.sparse.name", "./v/s", "GNU.sparse.realsize", "5"), rawSparse()),
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Check(iotest.HalfReader(bytes.NewReader(archive)), nil)
			assert.NilError(t, err)
			assert.NilError(t, s.Err())
		})
	}
}

// TestLongNamesOfGNUTarAreRead has it write all that it writes before an entry.
func TestLongNamesOfGNUTarAreRead(t *testing.T) {
	if _, err := exec.LookPath("tar"); err != nil {
		t.Skip("needs tar")
	}
	dir, long := t.TempDir(), strings.Repeat("n", 200)
	run := func(args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = dir
		out, err := cmd.Output()
		assert.NilError(t, err, "%q", args)
		return out
	}
	run("sh", "-c", "mkdir v && cd v && truncate -s 3M "+long+" && echo e >> "+long+" && ln "+long+" h"+long+" && ln -s "+long+" s"+long)
	for _, args := range [][]string{{"oldgnu"}, {"gnu"}, {"pax", "--sparse-version=0.0"}, {"pax", "--sparse-version=0.1"}, {"pax", "--sparse-version=1.0"}} {
		archive := run(slices.Concat([]string{"tar", "--create", "--sparse", "--format"}, args, []string{"."})...)
		s, err := Check(bytes.NewReader(archive), nil)
		assert.NilError(t, err)
		assert.NilError(t, s.Err(), "%q", args)
		assert.Equal(t, s.Entries, int64(5), "%q", args)
		assert.Equal(t, s.Bytes, int64(3<<20+2), "%q", args)
	}
}

// TestAHeaderInFrontOfNothingIsAProblem ends a tar where an entry should be.
func TestAHeaderInFrontOfNothingIsAProblem(t *testing.T) {
	found := problems(t, append(append(rawFile("./v/f"), gnuLong('L', "./v/l\x00")...), make([]byte, 2*blockSize)...))
	assert.Equal(t, len(found), 1, "%v", found)
	assert.Assert(t, strings.Contains(found[0].Text, "and none follows"), found[0].Text)
}

// TestAForgedArchiveOfOursMeansOneThing puts before an entry of ours what would
// make it another one to other programs. All digests are right, or not there.
func TestAForgedArchiveOfOursMeansOneThing(t *testing.T) {
	forged := putTogether(t, takeApart(t, sample(t)))
	assert.NilError(t, check(forged))
	at := bytes.Index(forged, []byte("./ucp-kv.json\x00"))
	assert.Equal(t, at%blockSize, 0)
	own := "./ucp-kv.json\x00"
	for name, c := range map[string]struct {
		before []byte
		want   string
	}{
		"a path and a long name":  {append(pax('x', "path", "./other"), gnuLong('L', own)...), "(L or K)"},
		"a long name":             {gnuLong('L', own), "no archive of docker ucp backup has"},
		"a long link":             {gnuLong('K', "x\x00"), "no archive of docker ucp backup has"},
		"a global header":         {pax('g', "comment", "c"), "no archive of docker ucp backup has"},
		"two extended headers":    {append(pax('x', "path", "./other"), pax('x', "mtime", "5")...), "two headers"},
		"a name of a sparse file": {pax('x', "GNU.sparse.name", "./other"), "no known version"},
		"an empty path":           {pax('x', "path", ""), `empty "path"`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Check(bytes.NewReader(slices.Concat(forged[:at], c.before, forged[at:])), nil)
			assert.NilError(t, err)
			assert.Equal(t, len(s.Problems), 1, "%v", s.Problems)
			assert.Assert(t, s.Problems[0].Unsafe)
			assert.Assert(t, strings.Contains(s.Problems[0].Text, c.want), s.Problems[0].Text)
		})
	}
}

// TestNumbersOfABlockAreReadAsArchiveTarDoes reads both ways to write one.
func TestNumbersOfABlockAreReadAsArchiveTarDoes(t *testing.T) {
	for field, want := range map[string]int64{
		"00000000005\x00": 5, "       17 \x00\x00": 15, "777777777777": 1<<36 - 1, "12\x00999999999": 10, "\x00\x00\x00\x00": 0,
		"\x80\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x01": 1<<33 + 1,
	} {
		assert.Equal(t, numeric([]byte(field)), want, "%q", field)
	}
}
