package commands

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/seal"
	"github.com/docker-ucp/docker-ucp/internal/verify"
)

// emptyBackup is a whole archive that holds nothing of UCP, sealed unless the lock is nil.
func emptyBackup(t *testing.T, lock *seal.Lock) (content []byte) {
	t.Helper()
	var out bytes.Buffer
	var dst io.Writer = &out
	manifest := &archive.Manifest{Tool: archive.Tool{Name: "docker-ucp", Version: "1.2.3"}}
	if lock != nil {
		session, err := seal.NewSessionKey()
		assert.NilError(t, err)
		packets, err := lock.Packets(session)
		assert.NilError(t, err)
		sealed, err := seal.NewWriter(&out, packets, session, seal.Options{})
		assert.NilError(t, err)
		defer func() {
			assert.NilError(t, sealed.Close())
			content = out.Bytes()
		}()
		dst = sealed
	}
	w, err := archive.NewWriter(dst, t.TempDir())
	assert.NilError(t, err)
	assert.NilError(t, w.WriteManifest(manifest))
	assert.NilError(t, w.WriteFile("./ucp-controller.json", []byte("{}\n")))
	assert.NilError(t, w.WriteReport(&archive.Report{}))
	assert.NilError(t, w.Close())
	return out.Bytes()
}

func inFolder(t *testing.T, content []byte) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "ucp.tar"), string(content))
}

func TestWhatVerifyFindsIsItsExitStatus(t *testing.T) {
	unsetPassphrase(t)
	sealed := emptyBackup(t, &seal.Lock{Passphrase: []byte(short)})
	plain := emptyBackup(t, nil)
	right := write(t, filepath.Join(t.TempDir(), "key.txt"), short+"\n")
	wrong := write(t, filepath.Join(t.TempDir(), "key.txt"), "another\n")
	tests := map[string]struct {
		content []byte
		args    []string
		status  int
		stdout  string // how it begins
		want    string // part of the error
	}{
		"a plain one that lacks UCP":       {plain, nil, 3, "sealed   not sealed ", ""},
		"a sealed one that lacks UCP":      {sealed, []string{"--passphrase-file", right}, 3, "sealed   sound ", ""},
		"with its passphrase in sight":     {sealed, []string{"--passphrase", short}, 3, "sealed   sound ", ""},
		"one cut short":                    {sealed[:len(sealed)-30], []string{"--passphrase-file", right}, 3, "sealed   unsound ", "sealed: the message is "},
		"two in one file":                  {append(bytes.Clone(sealed), sealed...), []string{"--passphrase-file", right}, 3, "sealed   unsound ", "stands a second sealed message"},
		"a wrong passphrase":               {sealed, []string{"--passphrase-file", wrong}, 4, "", "wrong passphrase, or the message is damaged at its head\nthe passphrase came from the first line of "},
		"no passphrase":                    {sealed, nil, 4, "", "the archive is locked with a passphrase, and none was given\nit opens with a passphrase: --passphrase-file FILE"},
		"no passphrase's file":             {sealed, []string{"--passphrase-file", "/none"}, 5, "", "no such file"},
		"no passphrase's file, not needed": {plain, []string{"--passphrase-file", "/none"}, 3, "sealed   not sealed ", ""},
		"no archive":                       {[]byte("hello"), nil, 3, "sealed ", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			file := inFolder(t, test.content)
			o := execute(t, append([]string{"verify", "--progress", "quiet", file}, test.args...)...)
			assert.Equal(t, o.status(), test.status, "%v", o.err)
			assert.ErrorContains(t, o.err, test.want)
			assert.ErrorContains(t, o.err, "docker ucp verify: ")
			assert.ErrorContains(t, o.err, file)
			assert.Check(t, strings.HasPrefix(o.stdout.String(), test.stdout), "%s", &o.stdout)
			assert.Equal(t, o.stdout.Len() > 0, test.stdout != "")
			warned := strings.Contains(o.stderr.String(), "prefer --passphrase-file")
			assert.Equal(t, warned, name == "with its passphrase in sight", "%s", &o.stderr)
		})
	}
}

func TestAFileThatIsNotThereIsNoDamage(t *testing.T) {
	o := execute(t, "verify", filepath.Join(t.TempDir(), "none"))
	assert.Equal(t, o.status(), 1)
	assert.ErrorContains(t, o.err, "no such file")
	assert.Equal(t, o.stdout.String(), "")
}

func TestAnArchiveMayComeFromAPipe(t *testing.T) {
	t.Setenv(passphraseVariable, short)
	sealed := emptyBackup(t, &seal.Lock{Passphrase: []byte(short)})
	o := executeWith(t, io.NopCloser(iotest.OneByteReader(bytes.NewReader(sealed))), "verify", "--format", "json", "-")
	assert.Equal(t, o.status(), 3, "%v", o.err)
	var result verify.Result
	assert.NilError(t, json.Unmarshal(o.stdout.Bytes(), &result))
	assert.Equal(t, result.File, "")
	assert.Equal(t, result.Size, int64(len(sealed)))
	assert.Equal(t, result.Levels[0].Verdict, verify.Sound)
	_, set := os.LookupEnv(passphraseVariable)
	assert.Check(t, !set, "what is started from here would inherit the passphrase")
	assert.Check(t, !strings.Contains(o.stdout.String()+o.stderr.String()+o.err.Error(), `"`+short))
}

func TestAPipeThatBreaksIsNoDamage(t *testing.T) {
	broken := io.MultiReader(bytes.NewReader(emptyBackup(t, nil)[:1000]), iotest.ErrReader(errors.New("connection lost")))
	o := executeWith(t, io.NopCloser(broken), "verify", "-")
	assert.Equal(t, o.status(), 1, "%v", o.err)
	assert.ErrorContains(t, o.err, "connection lost")
}

func TestTheEntriesAreListedOnStandardOutputAlone(t *testing.T) {
	o := execute(t, "verify", "--list", inFolder(t, emptyBackup(t, nil)))
	assert.Equal(t, o.status(), 3, "%v", o.err)
	var names []string
	for line := range strings.Lines(o.stdout.String()) {
		fields := strings.Fields(line)
		names = append(names, fields[len(fields)-1])
	}
	assert.DeepEqual(t, names, []string{
		"./docker-ucp/manifest.json", "./ucp-controller.json", "./docker-ucp/report.json", "./docker-ucp/SHA256SUMS",
	})
	assert.Check(t, cmp.Contains(o.stderr.String(), "\nsealed   not sealed "))
}

func TestAHostileNameReachesNoTerminal(t *testing.T) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range []string{"./ucp-kv/" + hostile, "./../" + hostile, "./ucp-node-certs/" + hostile + ".pem"} {
		assert.NilError(t, w.WriteHeader(&tar.Header{
			Name: name, Typeflag: tar.TypeReg, Size: 5, Mode: 0o600, Uname: hostile, Format: tar.FormatGNU,
		}))
		_, err := w.Write([]byte("hello"))
		assert.NilError(t, err)
	}
	assert.NilError(t, w.Close())
	file := inFolder(t, out.Bytes())
	for _, args := range [][]string{{"--list"}, {"--list", "--jsonlog"}, {"--format", "json"}, {}} {
		o := execute(t, append([]string{"verify", file}, args...)...)
		assert.Equal(t, o.status(), 3, "%v", o.err)
		shown := o.stdout.String() + o.stderr.String() + o.err.Error()
		assert.Check(t, cmp.Contains(shown, "evil"))
		for _, r := range shown {
			assert.Assert(t, r == '\n' || unicode.IsPrint(r), "%q: %q in %q", args, r, shown)
		}
	}
}

func TestANameCannotBreakAnErrorsLineInTwo(t *testing.T) {
	content := emptyBackup(t, &seal.Lock{Passphrase: []byte(short)})
	file := write(t, filepath.Join(t.TempDir(), "a\nb\t\x1b.tar"), string(content))
	unsetPassphrase(t)
	o := execute(t, "verify", file)
	assert.Equal(t, o.status(), 4)
	assert.Check(t, cmp.Contains(o.err.Error(), `/a\nb\t\x1b.tar: the archive is locked with a passphrase, and none was given`+"\n"))
	o = execute(t, "verify", "--passphrase", short, file)
	assert.Equal(t, o.status(), 3)
	assert.Check(t, cmp.Contains(o.err.Error(), `/a\nb\t\x1b.tar: the archive is `))
	o = execute(t, "verify", file+"\n")
	assert.Equal(t, o.status(), 1)
	assert.Check(t, cmp.Contains(o.err.Error(), `/a\nb\t\x1b.tar\n: no such file`))
	u := unlockerOf(&unlockOptions{}, piped("", io.Discard), file)
	assert.Equal(t, u.word(), "ARCHIVE", "a command with another name would not find it")
}

func TestWhatIsWrongIsSaidOnceAndOnStandardError(t *testing.T) {
	file := inFolder(t, emptyBackup(t, nil))
	for _, args := range [][]string{nil, {"--list"}, {"--list", "--jsonlog"}, {"-q"}, {"--format", "json"}} {
		o := execute(t, append([]string{"verify", file}, args...)...)
		assert.Equal(t, o.status(), 3)
		words, _, _ := strings.Cut(strings.TrimPrefix(o.err.Error(), "docker ucp verify: "+file+": "), "\n")
		assert.Check(t, cmp.Contains(words, "the archive is sound, but"))
		inResult := strings.Count(o.stdout.String()+o.stderr.String(), words)
		assert.Equal(t, inResult == 1, len(args) == 2 && args[1] == "json", "%q: %s", args, words)
	}
}

func TestNoFileIsNoName(t *testing.T) {
	o := execute(t, "verify", "")
	assert.Equal(t, o.status(), usageStatus)
	assert.ErrorContains(t, o.err, "the name of FILE is empty; for standard input write -")
}

func TestAReadThatWaitsEndsWithACancel(t *testing.T) {
	r, w := io.Pipe()
	ctx, cancel := context.WithCancelCause(t.Context())
	reader := &stoppable{ctx: ctx, in: r}
	go func() {
		_, err := w.Write([]byte("data"))
		assert.Check(t, err)
		cancel(errors.New("enough"))
	}()
	content, err := io.ReadAll(reader)
	assert.Error(t, err, "enough")
	assert.Check(t, len(content) == 0 || string(content) == "data")
	n, err := reader.Read(make([]byte, 10))
	assert.Check(t, n == 0)
	assert.Error(t, err, "enough", "a reader that was left behind has the buffer")
	assert.NilError(t, w.Close())
}

func TestAnInputThatCanBeStoppedIsReadAsItIs(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	for name, in := range map[string]io.Reader{
		"at once": bytes.NewReader(content), "in halves": iotest.HalfReader(bytes.NewReader(content)),
		"the end together with the data": iotest.DataErrReader(bytes.NewReader(content)),
	} {
		assert.NilError(t, iotest.TestReader(&stoppable{ctx: t.Context(), in: in}, content), name)
	}
}
