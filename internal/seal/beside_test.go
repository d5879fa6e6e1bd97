package seal

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// The benchmarks of this file do the same work on the same file with GnuPG or
// OpenSSL and with this package, in turns. Each round is one pair:
//
//	go test -run '^$' -bench Beside -benchtime 5x ./internal/seal
//
// They print the median of each and of the ratio within a round.
const besideSize = 1 << 30

// pairs collects rounds.
type pairs struct {
	theirs, ours, ratios []float64
}

func (p *pairs) add(theirs, ours float64) {
	p.theirs, p.ours = append(p.theirs, theirs), append(p.ours, ours)
	p.ratios = append(p.ratios, ours/theirs)
}

func (p *pairs) report(b *testing.B, name string) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // a round's time means nothing
	b.ReportMetric(median(p.theirs), name+"-MB/s")
	b.ReportMetric(median(p.ours), "seal-MB/s")
	b.ReportMetric(median(p.ratios), "x-"+name)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// rate is in 10^6 bytes a second, for one file.
func rate(tb testing.TB, work func() error) float64 {
	tb.Helper()
	start := time.Now()
	assert.NilError(tb, work())
	return besideSize / 1e6 / time.Since(start).Seconds()
}

func BenchmarkBesideGPGSeal(b *testing.B) {
	gpg, phrase, data := newGPG(b), passphraseFile(b, passphrase), randomFile(b)
	args := []string{"--passphrase-file", phrase, "--symmetric", "--cipher-algo", "AES256", "--compress-algo", "none"}
	var p pairs
	for b.Loop() {
		p.add(rate(b, func() error { return gpg.toNull(b, data, args...) }),
			rate(b, func() error { return sealFile(file(b, data, os.O_RDONLY), file(b, os.DevNull, os.O_WRONLY), Options{}) }))
	}
	p.report(b, "gpg")
}

func BenchmarkBesideGPGZlib(b *testing.B) {
	gpg, phrase, data := newGPG(b), passphraseFile(b, passphrase), textFile(b)
	args := []string{"--passphrase-file", phrase, "--symmetric", "--cipher-algo", "AES256", "--compress-algo", "zlib", "-z", "1"}
	var p pairs
	for b.Loop() {
		p.add(rate(b, func() error { return gpg.toNull(b, data, args...) }),
			rate(b, func() error {
				return sealFile(file(b, data, os.O_RDONLY), file(b, os.DevNull, os.O_WRONLY), Options{Compress: Zlib})
			}))
	}
	p.report(b, "gpg")
}

func BenchmarkBesideGPGOpen(b *testing.B) {
	gpg, phrase, data := newGPG(b), passphraseFile(b, passphrase), randomFile(b)
	message := filepath.Join(b.TempDir(), "message")
	assert.NilError(b, sealFile(file(b, data, os.O_RDONLY), file(b, message, os.O_CREATE|os.O_WRONLY), Options{}))
	var p pairs
	for b.Loop() {
		p.add(rate(b, func() error { return gpg.toNull(b, message, "--passphrase-file", phrase, "--decrypt") }),
			rate(b, func() error { return openFile(file(b, message, os.O_RDONLY)) }))
	}
	p.report(b, "gpg")
}

func BenchmarkBesideOpenSSLCFB(b *testing.B) {
	if _, err := exec.LookPath("openssl"); err != nil {
		b.Skip("openssl is not installed")
	}
	data := randomFile(b)
	var p pairs
	for b.Loop() {
		p.add(opensslSpeed(b), rate(b, func() error { return sealFile(file(b, data, os.O_RDONLY), file(b, os.DevNull, os.O_WRONLY), Options{}) }))
	}
	p.report(b, "openssl")
}

func opensslSpeed(tb testing.TB) float64 {
	tb.Helper()
	out, err := exec.CommandContext(tb.Context(), "openssl", "speed", "-seconds", "2", "-bytes", "16384", "-evp", "aes-256-cfb").Output()
	assert.NilError(tb, err)
	fields := strings.Fields(string(bytes.TrimSpace(out)))
	thousands, err := strconv.ParseFloat(strings.TrimSuffix(fields[len(fields)-1], "k"), 64)
	assert.NilError(tb, err)
	return thousands / 1e3
}

func (g *gnupg) toNull(tb testing.TB, input string, args ...string) error {
	tb.Helper()
	in, null := file(tb, input, os.O_RDONLY), file(tb, os.DevNull, os.O_WRONLY)
	args = append([]string{"--homedir", g.home, "--batch", "--quiet", "--pinentry-mode", "loopback"}, args...)
	cmd := exec.CommandContext(tb.Context(), "gpg", args...)
	cmd.Stdin, cmd.Stdout = in, null
	return cmd.Run()
}

func file(tb testing.TB, path string, flag int) *os.File {
	tb.Helper()
	f, err := os.OpenFile(path, flag, 0o600)
	assert.NilError(tb, err)
	tb.Cleanup(func() { assert.Check(tb, f.Close()) })
	return f
}

// sealFile does all that a backup does for its seal, stretching included.
func sealFile(in io.Reader, out io.Writer, opts Options) error {
	key, err := NewSessionKey()
	if err != nil {
		return err
	}
	packets, err := Lock{Passphrase: []byte(passphrase)}.Packets(key)
	if err != nil {
		return err
	}
	w, err := NewWriter(out, packets, key, opts)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{in}, make([]byte, 1<<20)); err != nil {
		return err
	}
	return w.Close()
}

func openFile(in io.Reader) error {
	r, err := Open(in, Keys{Passphrase: []byte(passphrase)})
	if err != nil {
		return err
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, 1<<20)); err != nil {
		return err
	}
	return r.Close()
}

func randomFile(tb testing.TB) string {
	tb.Helper()
	source := rand.NewChaCha8([32]byte{})
	return besideFile(tb, func(w *bufio.Writer) error {
		_, err := io.CopyN(w, source, besideSize)
		return err
	})
}

// textFile has words in it, the frequent ones often, as logs and JSON do.
func textFile(tb testing.TB) string {
	tb.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 5000)
	for i := range words {
		word := make([]byte, 2+random.IntN(9))
		for j := range word {
			word[j] = byte('a' + random.IntN(26))
		}
		words[i] = string(word)
	}
	return besideFile(tb, func(w *bufio.Writer) error {
		for written := 0; written < besideSize; {
			line := fmt.Sprintf("%s %d", words[min(len(words)-1, int(random.ExpFloat64()*400))], random.IntN(1000))
			n, err := fmt.Fprintf(w, "%.*s\n", besideSize-written-1, line)
			if err != nil {
				return err
			}
			written += n
		}
		return nil
	})
}

func besideFile(tb testing.TB, fill func(*bufio.Writer) error) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "data")
	f, err := os.Create(path)
	assert.NilError(tb, err)
	w := bufio.NewWriterSize(f, 1<<20)
	assert.NilError(tb, fill(w))
	assert.NilError(tb, w.Flush())
	assert.NilError(tb, f.Close())
	return path
}
