package verify

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// whole are archives of each era without a seal.
func whole(t testing.TB) (own, old, dumps []byte) {
	t.Helper()
	nodes := walk(volumesOf(t))
	return ours(t, "", recordsOf(), nodes, nil), vendors(t, nodes), vendors(t, online(t))
}

// verdicts are those of the three levels, lowest first.
func verdicts(r *Result) [3]Verdict {
	return [3]Verdict{r.Levels[0].Verdict, r.Levels[1].Verdict, r.Levels[2].Verdict}
}

// mentions wants a finding of a level with a text in it, and returns its entry.
func mentions(t *testing.T, l *Level, severity Severity, text string) string {
	t.Helper()
	for _, f := range l.Findings {
		if f.Severity == severity && strings.Contains(f.Text, text) {
			return f.Entry
		}
	}
	t.Fatalf("no %s %q at level %s: %v", severity, text, l.Name, l.Findings)
	return ""
}

func TestEveryWrapIsTakenOff(t *testing.T) {
	own, old, dumps := whole(t)
	gpg := newGPG(t)
	tests := map[string]struct {
		data  []byte
		wraps []string
		era   Era
		want  Verdict // of the level sealed
	}{
		"ours":                  {own, []string{}, EraOurs, NotSealed},
		"gzip":                  {gzipped(t, old), []string{"gzip"}, EraStopped, NotSealed},
		"gpg":                   {gpg.seal(t, old), []string{"openpgp"}, EraStopped, Sound},
		"armor":                 {gpg.seal(t, dumps, "--armor"), []string{"openpgp"}, EraOnline, Sound},
		"gzip around gpg":       {gzipped(t, gpg.seal(t, dumps)), []string{"gzip", "openpgp"}, EraOnline, Sound},
		"gpg around gzip":       {gpg.seal(t, gzipped(t, dumps)), []string{"openpgp", "gzip"}, EraOnline, Sound},
		"gzip, gpg, gzip":       {gzipped(t, gpg.seal(t, gzipped(t, own))), []string{"gzip", "openpgp", "gzip"}, EraOurs, Sound},
		"gzip in two members":   {append(gzipped(t, own[:1000]), gzipped(t, own[1000:])...), []string{"gzip"}, EraOurs, NotSealed},
		"the vendor's, plain":   {dumps, []string{}, EraOnline, NotSealed},
		"GNU tar's zero blocks": {append(bytes.Clone(old), make([]byte, 10240)...), []string{}, EraStopped, NotSealed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := verified(t, test.data)
			assert.NilError(t, err)
			assert.DeepEqual(t, r.Wrapped, test.wraps)
			assert.Equal(t, r.Era, test.era)
			assert.DeepEqual(t, verdicts(r), [3]Verdict{test.want, Sound, Sound})
			assert.Equal(t, r.Verdict, Sound)
			assert.Equal(t, r.Size, int64(len(test.data)))
		})
	}
}

func TestAWholeArchiveIsDescribed(t *testing.T) {
	own, _, dumps := whole(t)
	r, err := verified(t, own)
	assert.NilError(t, err)
	assert.Equal(t, r.Version, "3.1.4")
	assert.Equal(t, r.InstanceID, instanceID)
	assert.Equal(t, r.Node, "manager1")
	assert.Assert(t, r.Created.Equal(written()))
	assert.Equal(t, r.License, "there")
	assert.Equal(t, r.Words, "the backup of UCP 3.1.4 is sound")
	want := Etcd{
		Source: "data folder", Entry: "./ucp-kv/datav3/member/snap/db", MemberID: "9e737febb6b99eee", ClusterID: "c8730d66636ff140",
		Revision: 754, Keys: r.Etcd.Keys, Members: r.Etcd.Members,
	}
	assert.DeepEqual(t, *r.Etcd, want)
	assert.Equal(t, len(r.Etcd.Members), 1)

	r, err = verified(t, dumps)
	assert.NilError(t, err)
	assert.Equal(t, r.Version, "3.2.5")
	assert.Equal(t, r.Etcd.Source, "snapshot")
	assert.Equal(t, r.Etcd.Revision, int64(744))
	mentions(t, &r.Levels[1], Note, "carry no checksums")
	assert.Assert(t, r.Created == nil)
}

func TestDamageIsSaidOnItsLevel(t *testing.T) {
	own, old, dumps := whole(t)
	gpg := newGPG(t)
	sealed := gpg.seal(t, dumps)
	long := gpg.seal(t, vendors(t, append(walk(volumesOf(t)), node{"ucp-metrics-data/", nil}, node{"ucp-metrics-data/x", make([]byte, 9<<20)})), "--compress-algo", "none")
	inFile := bytes.Clone(own)
	inFile[bytes.Index(inFile, bytes.Repeat([]byte{69}, 400))] ^= 1
	tests := map[string]struct {
		data     []byte
		verdicts [3]Verdict
		words    string
	}{
		"the seal's own end":       {flip(bytes.Clone(long), -1), [3]Verdict{Unsound, NotJudged, NotJudged}, "sealed: "},
		"a short one's":            {flip(bytes.Clone(sealed), -1), [3]Verdict{Unsound, NotJudged, NotJudged}, "sealed: "},
		"a sealed file cut short":  {long[:5<<20], [3]Verdict{Unsound, NotJudged, NotJudged}, "sealed: "},
		"two sealed in one file":   {append(bytes.Clone(sealed), sealed...), [3]Verdict{Unsound, Sound, Sound}, "a second sealed message"},
		"a byte behind the seal":   {append(bytes.Clone(sealed), 0), [3]Verdict{Unsound, Sound, Sound}, "stands other data"},
		"a file of ours":           {inFile, [3]Verdict{NotSealed, Unsound, Sound}, "./ucp-auth-store-data/table-69"},
		"two of ours in one file":  {append(bytes.Clone(own), own...), [3]Verdict{NotSealed, Unsound, Sound}, "second archive"},
		"two plain ones":           {append(bytes.Clone(old), old...), [3]Verdict{NotSealed, Unsound, Sound}, "second archive"},
		"gzip's own end":           {flip(gzipped(t, own), -1), [3]Verdict{NotSealed, Unsound, Sound}, "gzip"},
		"gzip's end around a seal": {flip(gzipped(t, sealed), -1), [3]Verdict{Unsound, Sound, Sound}, "gzip"},
		"no tar at all":            {[]byte(strings.Repeat("no tar at all\n", 100)), [3]Verdict{NotSealed, Unsound, NotJudged}, "no tar"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := verified(t, test.data)
			assert.Equal(t, failure.KindOf(err), failure.Damaged, "%v", err)
			assert.ErrorContains(t, err, test.words)
			assert.DeepEqual(t, verdicts(r), test.verdicts)
		})
	}
}

// flip changes a byte, counted from the end when negative.
func flip(data []byte, at int) []byte {
	if at < 0 {
		at += len(data)
	}
	data[at] ^= 1
	return data
}

func TestASecondArchiveCanBeReached(t *testing.T) {
	own, old, _ := whole(t)
	sealed := newGPG(t).seal(t, old)
	tests := map[string]struct {
		first, second []byte
		command       string
	}{
		"sealed":       {sealed, sealed, "tail -c +%d ucp.tar | docker ucp verify -"},
		"plain":        {old, own, "tail -c +%d ucp.tar | docker ucp verify -"},
		"sealed, gzip": {sealed, sealed, "gunzip < ucp.tar | tail -c +%d | docker ucp verify -"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			data := append(bytes.Clone(test.first), test.second...)
			if strings.HasSuffix(name, "gzip") {
				data = gzipped(t, data)
			}
			t.Chdir(t.TempDir())
			assert.NilError(t, os.WriteFile("ucp.tar", data, 0o600))
			r, err := Run(t.Context(), mute(), Options{Path: "ucp.tar", Now: written(), Keys: giving(seal.Keys{Passphrase: []byte(passphrase)})})
			assert.Equal(t, failure.KindOf(err), failure.Damaged)
			command := strings.Replace(test.command, "%d", strconv.Itoa(len(test.first)+1), 1)
			at := &r.Levels[0]
			if name == "plain" {
				at = &r.Levels[1]
			}
			mentions(t, at, Note, command)
			_, err = verified(t, append(bytes.Clone(test.first), test.second...)[len(test.first):])
			assert.NilError(t, err)
		})
	}
}

func TestALockThatNobodyUsedIsProvenToo(t *testing.T) {
	lock := seal.Lock{Passphrase: []byte(passphrase), Recipients: recipient(t)}
	nodes := walk(volumesOf(t))
	data, key := sealedWith(t, lock, seal.Options{}, func(locks string) []byte { return ours(t, locks, recordsOf(), nodes, nil) })
	at := headOf(lock) / 3 // in the lock for the key
	r, err := Run(t.Context(), mute(), Options{Source: bytes.NewReader(flip(data, at)), Now: written(), Keys: giving(seal.Keys{SessionKey: key})})
	assert.Equal(t, failure.KindOf(err), failure.Damaged)
	mentions(t, &r.Levels[0], Fault, "the locks at the message's head")
	assert.DeepEqual(t, verdicts(r), [3]Verdict{Unsound, Sound, Sound})
}

func TestAMessageThatCannotProveItselfIsNoSoundBackup(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "seal", "testdata", "messages", "gpg1-without-mdc.pgp"))
	assert.NilError(t, err)
	phrase, err := os.ReadFile(filepath.Join("..", "seal", "testdata", "messages", "text.passphrase"))
	assert.NilError(t, err)
	r, err := Run(t.Context(), mute(), Options{Source: bytes.NewReader(data), Keys: giving(seal.Keys{Passphrase: bytes.TrimSpace(phrase)})})
	assert.Equal(t, failure.KindOf(err), failure.Damaged)
	mentions(t, &r.Levels[0], Fault, "no modification detection")
}

func TestAWrongKeyIsNoDamage(t *testing.T) {
	_, _, dumps := whole(t)
	sealed := newGPG(t).seal(t, dumps)
	r, err := Run(t.Context(), mute(), Options{Source: bytes.NewReader(sealed), Keys: giving(seal.Keys{Passphrase: []byte("wrong")})})
	assert.Assert(t, r == nil)
	assert.Equal(t, failure.KindOf(err), failure.Locked)
	assert.ErrorContains(t, err, "wrong passphrase")
	assert.DeepEqual(t, failure.Hints(err), []string{"--passphrase-file FILE"})
}

// In a hole that a stranger's header claims, the tar's reader asks with an empty
// buffer whether to go on.
// What is wrong inside a seal does not speak for the seal.
func TestTheSealIsReadToItsEndWhateverIsInIt(t *testing.T) {
	own, _, _ := whole(t)
	packed := gzipped(t, append(own, make([]byte, 1000)...))
	seal := func(data []byte) []byte { return newGPG(t).seal(t, data, "--compress-algo", "none") }
	r, err := verified(t, seal(flip(bytes.Clone(packed), len(packed)/2)))
	assert.Equal(t, failure.KindOf(err), failure.Damaged)
	assert.DeepEqual(t, [2]Verdict{r.Levels[0].Verdict, r.Levels[1].Verdict}, [2]Verdict{Sound, Unsound})

	r, err = verified(t, append(seal(flip(bytes.Clone(packed), len(packed)/2)), 0))
	assert.Equal(t, failure.KindOf(err), failure.Damaged)
	assert.DeepEqual(t, [2]Verdict{r.Levels[0].Verdict, r.Levels[1].Verdict}, [2]Verdict{Unsound, Unsound})
	mentions(t, &r.Levels[0], Fault, "other data")
}

func TestAGzipHeadAloneIsDamage(t *testing.T) {
	r, err := verified(t, []byte("\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x00"))
	assert.Equal(t, failure.KindOf(err), failure.Damaged)
	assert.ErrorContains(t, err, "tar: gzip: unexpected EOF")
	assert.DeepEqual(t, verdicts(r), [3]Verdict{NotSealed, Unsound, NotJudged})
}

func TestAnArchiveThatDoesNotKnowItsLocksSaysSo(t *testing.T) {
	nodes := walk(volumesOf(t))
	data, key := sealedWith(t, seal.Lock{Passphrase: []byte(passphrase)}, seal.Options{}, func(string) []byte { return ours(t, "", recordsOf(), nodes, nil) })
	r, err := Run(t.Context(), mute(), Options{Source: bytes.NewReader(data), Now: written(), Keys: giving(seal.Keys{SessionKey: key})})
	assert.NilError(t, err)
	mentions(t, &r.Levels[0], Note, "does not say for whom it was locked")
}

// A gzip in a gzip makes an hour of reading out of kilobytes.
