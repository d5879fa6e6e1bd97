package scenarios

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func (a *archives) damaged(t *testing.T) {
	cut := func(file string, part int64) string {
		info, err := os.Stat(file)
		assert.NilError(t, err)
		short := copyFile(t, file)
		assert.NilError(t, os.Truncate(short, info.Size()*part/100))
		return short
	}
	sealedOnline := a.gpgSeal(t, a.online, "--compress-algo", "none")
	const entry = "./ucp-metrics-inventory/inventory.json"
	for _, c := range []struct {
		name, file string
		words      []string // in one fault
	}{
		{"a byte of the seal", flipped(t, a.sealed, 50), []string{"modification detection"}},
		{"a byte of gpg's seal", flipped(t, sealedOnline, 50), []string{"modification detection"}},
		{"a byte of a file", a.change(t, a.plain, entry, func(content []byte) { content[0] ^= 1 }), []string{entry, "SHA256SUMS"}},
		{"a byte of the auth store", a.change(t, a.plain, "./ucp-auth-store-data/store/index.db", func(content []byte) { content[9] ^= 0x80 }), []string{"./ucp-auth-store-data/store/index.db"}},
		{"an owner", a.changeHeader(t, a.plain, entry), nil},
		{"a sealed archive cut short", cut(a.sealed, 60), nil},
		{"gpg's archive cut short", cut(sealedOnline, 60), nil},
		{"a plain archive cut short", cut(a.plain, 60), nil},
		{"a plain archive without its last kilobyte", cut(a.plain, 99), nil},
		{"the vendor's archive cut short", cut(a.stopped, 30), nil},
		{"gzip cut short", cut(gzipped(t, a.online), 60), []string{"gzip"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, done := a.unlocked(t, c.file)
			bad(t, v, done, c.words...)
			mentions(t, done.stderr, "damaged or incomplete")
		})
	}
}

// flipped returns a copy with one bit of another value, so far into the file in percent.
func flipped(t *testing.T, file string, percent int) string {
	t.Helper()
	content, err := os.ReadFile(file)
	assert.NilError(t, err)
	content[len(content)*percent/100] ^= 1
	return write(t, output(t), string(content))
}

// changeHeader gives an entry another owner, with a header checksum that is right.
func (a *archives) changeHeader(t *testing.T, file, name string) string {
	t.Helper()
	changed := copyFile(t, file)
	offset, _ := a.find(t, file, name)
	f, err := os.OpenFile(changed, os.O_RDWR, 0)
	assert.NilError(t, err)
	const uidAt, sumAt, block = 108, 148, 512
	header := make([]byte, block)
	_, err = f.ReadAt(header, offset-block)
	assert.NilError(t, err)
	header[uidAt+6]++
	copy(header[sumAt:], "        ")
	var sum int64
	for _, b := range header {
		sum += int64(b)
	}
	copy(header[sumAt:], strings.Repeat("0", 6-len(strconv.FormatInt(sum, 8)))+strconv.FormatInt(sum, 8)+"\x00 ")
	_, err = f.WriteAt(header, offset-block)
	assert.NilError(t, err)
	assert.NilError(t, f.Close())
	return changed
}

var tailCommand = regexp.MustCompile(`tail -c \+([0-9]+) `)

// appended reads files as UCP 3.2.0 to 3.2.3 left them when a name was used twice.
func (a *archives) appended(t *testing.T) {
	first := a.gpgSeal(t, a.online)
	second := a.gpgSeal(t, a.online, "--compress-algo", "none")
	for _, c := range []struct {
		name          string
		first, second string
	}{
		{"ours, sealed", a.sealed, a.sealed},
		{"ours, plain", a.plain, a.plain},
		{"the vendor's, sealed", first, second},
		{"the vendor's, plain", a.online, a.online},
		{"the vendor's up to 3.1, padded by GNU tar", a.stopped, a.online},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := copyFile(t, c.first)
			then, err := os.ReadFile(c.second)
			assert.NilError(t, err)
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
			assert.NilError(t, err)
			_, err = f.Write(then)
			assert.NilError(t, err)
			assert.NilError(t, f.Close())

			v, done := a.unlocked(t, file)
			bad(t, v, done)
			told := tailCommand.FindStringSubmatch(strings.Join(v.findings(""), "\n"))
			assert.Assert(t, told != nil, "%q", v.findings(""))
			from, err := strconv.Atoi(told[1])
			assert.NilError(t, err)
			whole, err := os.ReadFile(file)
			assert.NilError(t, err)
			rest := write(t, output(t), string(whole[from-1:])) // tail counts from one
			assert.Assert(t, bytes.Equal(whole[from-1:], then))
			v, done = a.verifyFrom(t, rest, "--passphrase-file", a.pass, "-")
			assert.Equal(t, done.code, 0, done.stderr)
			assert.Equal(t, v.Verdict, sound)
		})
	}
}

// damagedInside changes what no checksum of the archive covers.
func (a *archives) damagedInside(t *testing.T) {
	const member, server = "./ucp-kv/datav3/member/", "./ucp-controller-server-certs/"
	log := a.firstEntry(t, a.stopped, member+"wal/*.wal")
	snapshot := a.firstEntry(t, a.online, "./ucp-backup/*/etcd.backup.db")
	dump := a.firstEntry(t, a.online, "./ucp-backup/*/auth-store.tar.gz")
	flip := func(at int) func([]byte) { return func(content []byte) { content[at] ^= 0x10 } }
	another := a.content(t, a.stopped, "./ucp-node-certs/key.pem")
	for _, c := range []struct {
		name, file string
		entry      string // that is named
	}{
		{"a page of etcd's database", a.change(t, a.stopped, member+"snap/db", damageRoot), member + "snap/db"},
		{"a root of etcd's database", a.change(t, a.stopped, member+"snap/db", func(content []byte) { clear(content[:8192]) }), member + "snap/db"},
		{"a byte of etcd's log", a.change(t, a.stopped, log, flip(3000)), log},
		{"the digest of a snapshot", a.change(t, a.online, snapshot, func(content []byte) { content[len(content)-1] ^= 1 }), snapshot},
		{"a page of a snapshot", a.change(t, a.online, snapshot, damageRoot), snapshot},
		{"a byte of the auth store's dump", a.change(t, a.online, dump, flip(100)), dump},
		{"a key of another certificate", a.change(t, a.stopped, "./ucp-kv-certs/key.pem", func(content []byte) { copy(content, another) }), "./ucp-kv-certs/key.pem"},
		{"a certificate that is none", a.change(t, a.online, server+"cert.pem", flip(200)), server + "cert.pem"},
		{"a segment of etcd's log that is gone", a.without(t, a.stopped, a.middleSegment(t)), member + "wal"},
		{"a database that is gone", a.without(t, a.stopped, member+"snap/db"), ""},
		{"a certificate that is gone", a.without(t, a.online, server+"key.pem"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, done := a.verify(t, c.file)
			bad(t, v, done, c.entry)
			assert.Equal(t, v.level(t, "ucp").Verdict, unsound)
			assert.Equal(t, v.level(t, "tar").Verdict, sound)
		})
	}
	t.Run("a raft snapshot that etcd can do without", func(t *testing.T) {
		names := a.entriesLike(t, a.stopped, member+"snap/*.snap")
		assert.Assert(t, len(names) > 1, "%v", names)
		newest := slices.Max(names)
		changed := a.change(t, a.stopped, newest, flip(200))
		_, err := a.ucp.CheckTree(t.Context(), untar(t, changed)) // etcd starts, with every key
		assert.NilError(t, err)
		v, done := a.verify(t, changed)
		assert.Equal(t, done.code, 0, done.stderr)
		assert.Equal(t, v.Verdict, "warnings")
		mentions(t, strings.Join(v.findings("warning"), "\n"), newest)
	})
	t.Run("an entry that would leave the folder", func(t *testing.T) {
		escape := &tar.Header{Name: "./../escape", Mode: 0o644}
		v, done := a.verify(t, a.rewrite(t, a.online, asItIs, escape))
		bad(t, v, done, "./../escape")
		assert.Equal(t, v.level(t, "tar").Verdict, unsound)
	})
}

// damageRoot clears the flags of the page that the newer root of a bbolt file names: without it nothing can be found.
func damageRoot(content []byte) {
	const page, header, rootAt, transactionAt, flagsAt = 4096, 16, 16, 48, 8
	var root, newest uint64
	for i := range 2 {
		meta := content[i*page+header:]
		if transaction := binary.LittleEndian.Uint64(meta[transactionAt:]); transaction >= newest {
			newest, root = transaction, binary.LittleEndian.Uint64(meta[rootAt:])
		}
	}
	content[root*page+flagsAt] ^= 0xff
}

// entriesLike lists the names of a plain tar that match a pattern, in the archive's order.
func (a *archives) entriesLike(t *testing.T, file, pattern string) []string {
	t.Helper()
	var names []string
	for r := tar.NewReader(open(t, file)); ; {
		h, err := r.Next()
		if err != nil {
			break
		}
		match, err := filepath.Match(pattern, h.Name)
		assert.NilError(t, err)
		if match {
			names = append(names, h.Name)
		}
	}
	return names
}

func (a *archives) firstEntry(t *testing.T, file, pattern string) string {
	t.Helper()
	names := a.entriesLike(t, file, pattern)
	assert.Assert(t, len(names) > 0, "no %s in %s", pattern, file)
	return names[0]
}

// middleSegment is a segment of etcd's log with others before and after it.
func (a *archives) middleSegment(t *testing.T) string {
	t.Helper()
	names := a.entriesLike(t, a.stopped, "./ucp-kv/datav3/member/wal/*.wal")
	assert.Assert(t, len(names) > 2, "%v", names)
	return slices.Sorted(slices.Values(names))[1] // GNU tar takes names as the folder gives them
}

func (a *archives) without(t *testing.T, file, name string) string {
	t.Helper()
	return a.rewrite(t, file, func(h *tar.Header, content []byte) ([]byte, bool) { return content, h.Name != name })
}
