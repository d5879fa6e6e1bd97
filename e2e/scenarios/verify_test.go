package scenarios

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// One engine is enough: verify needs none.
func TestVerify(t *testing.T) {
	a := makeArchives(t)
	t.Run("what is called sound is sound", a.soundIsSound)
	t.Run("an archive opens with everything that it was sealed for", a.everySeal)
	t.Run("etcd's own words about itself are found in its files", a.etcdAgrees)
	t.Run("every certificate is listed as the volumes have it", a.everyCertificate)
	t.Run("what was left out on purpose is said, and what a restore needs is missed", a.leftOut)
	t.Run("the list is tar's", a.listed)
	t.Run("standard input", a.fromStdin)
	t.Run("without the right key", a.wrongKeys)
	t.Run("a process that dies leaves no file", a.leavesNothing)
	t.Run("the vendor's archives, however they were packed", a.vendorForms)
	t.Run("damage that the seal or a checksum shows", a.damaged)
	t.Run("two archives in one file", a.appended)
	t.Run("damage that only the files themselves show", a.damagedInside)
	t.Run("a tar that is no backup", a.noBackup)
	t.Run("a certificate that ends soon", a.endsSoon)
}

func (a *archives) soundIsSound(t *testing.T) {
	v, done := a.unlocked(t, a.sealed)
	good(t, v, done, eraOurs)
	a.sound(t, a.unseal(t, a.sealed), a.keys)

	v, done = a.verify(t, a.stopped)
	good(t, v, done, eraStopped)
	_, err := a.ucp.CheckTree(t.Context(), untar(t, a.stopped))
	assert.NilError(t, err)
}

// untar unpacks a plain tar as root does.
func untar(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "tar", "--extract", "--numeric-owner", "--preserve-permissions", "--file", file, "--directory", dir).CombinedOutput()
	assert.NilError(t, err, string(out))
	return dir
}

func (a *archives) everySeal(t *testing.T) {
	for _, c := range []struct {
		name, file string
		args       []string
		wrapped    []string
	}{
		{"a passphrase", a.sealed, []string{"--passphrase-file", a.pass}, []string{"openpgp"}},
		{"a passphrase, compressed", a.zlib, []string{"--passphrase-file", a.pass}, []string{"openpgp"}},
		{"a private key", a.locked, []string{"--identity", a.private}, []string{"openpgp"}},
		{"both, with the key", a.both, []string{"--identity", a.private}, []string{"openpgp"}},
		{"both, with the passphrase", a.both, []string{"--passphrase-file", a.pass}, []string{"openpgp"}},
		{"nothing", a.plain, nil, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, done := a.verify(t, append(c.args, c.file)...)
			good(t, v, done, eraOurs)
			assert.DeepEqual(t, v.Wrapped, c.wrapped)
			assert.Equal(t, v.Version, "3.1.4")
			assert.Equal(t, v.InstanceID, a.ucp.InstanceID)
			assert.Equal(t, v.License, "there")
			assert.Equal(t, len(v.Volumes), len(layout.Volumes))
			info, err := os.Stat(c.file)
			assert.NilError(t, err)
			assert.Equal(t, v.Size, info.Size())
			want := sound
			if len(c.wrapped) == 0 {
				want = "not sealed"
			}
			assert.Equal(t, v.level(t, "sealed").Verdict, want)
		})
	}
}

// private exports the private half, as an operator takes it to where archives are read.
func (k keyPair) private(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "gpg", "--homedir", k.home, "--batch", "--quiet", "--pinentry-mode", "loopback",
		"--passphrase", "", "--armor", "--export-secret-keys").Output()
	assert.NilError(t, err)
	return write(t, filepath.Join(t.TempDir(), "private.asc"), string(out))
}

func (a *archives) etcdAgrees(t *testing.T) {
	now, err := a.ucp.Cluster(t.Context())
	assert.NilError(t, err)
	for _, c := range []struct{ file, source, database string }{
		{a.plain, "data folder", "./ucp-kv/datav3/member/snap/db"},
		{a.stopped, "data folder", "./ucp-kv/datav3/member/snap/db"},
		{a.online, "snapshot", "/etcd.backup.db"},
	} {
		v, _ := a.verify(t, c.file)
		assert.Assert(t, v.Etcd != nil)
		assert.Equal(t, v.Etcd.Source, c.source)
		assert.Assert(t, strings.HasSuffix(v.Etcd.Entry, c.database), v.Etcd.Entry)
		if c.source == "data folder" { // a snapshot does not say whose it is
			assert.Equal(t, v.Etcd.ClusterID, a.cluster.ClusterID)
			assert.Equal(t, v.Etcd.MemberID, a.cluster.MemberID)
		}
		assert.Assert(t, v.Etcd.Revision >= a.cluster.Revision && v.Etcd.Revision <= now.Revision, "%d is not between %d and %d", v.Etcd.Revision, a.cluster.Revision, now.Revision)
		assert.Assert(t, v.Etcd.Keys >= int64(len(a.keys.Values)))
		assert.Equal(t, len(v.Etcd.Members), 1)
		assert.Equal(t, v.Etcd.Members[0].ID, a.cluster.Members[0].ID)
		assert.Equal(t, v.Etcd.Members[0].Name, "orca-kv-"+a.ucp.Address)
		assert.DeepEqual(t, v.Etcd.Members[0].URLs, a.cluster.Members[0].PeerURLs)
	}
}

func (a *archives) everyCertificate(t *testing.T) {
	v, _ := a.verify(t, a.plain)
	dir := untar(t, a.plain)
	paths, err := filepath.Glob(filepath.Join(dir, "*", "c*.pem")) // ca.pem, cert.pem, client_ca.pem
	assert.NilError(t, err)
	var want int
	for _, path := range paths {
		content, err := os.ReadFile(path)
		assert.NilError(t, err)
		block, _ := pem.Decode(content)
		if block == nil {
			continue // client_ca.pem may be empty
		}
		leaf, err := x509.ParseCertificate(block.Bytes)
		assert.NilError(t, err)
		entry := "./" + strings.TrimPrefix(path, dir+"/")
		i := slices.IndexFunc(v.Certificates, func(c certificate) bool { return c.Entry == entry })
		assert.Assert(t, i >= 0, "%s is not listed: %+v", entry, v.Certificates)
		got := v.Certificates[i]
		assert.Assert(t, got.NotAfter.Equal(leaf.NotAfter), "%s: %s, want %s", entry, got.NotAfter, leaf.NotAfter)
		assert.Equal(t, got.CA, leaf.IsCA)
		assert.Assert(t, strings.Contains(got.Subject, leaf.Subject.CommonName), got.Subject)
		assert.Assert(t, strings.Contains(got.Issuer, leaf.Issuer.CommonName), got.Issuer)
		want++
	}
	assert.Assert(t, want > 10)
	assert.Equal(t, len(v.Certificates), want)
}

func (a *archives) leftOut(t *testing.T) {
	v, done := a.unlocked(t, a.excluded["ucp-metrics-data"])
	good(t, v, done, eraOurs)
	mentions(t, strings.Join(v.findings("note"), "\n"), "ucp-metrics-data")

	v, done = a.unlocked(t, a.excluded["ucp-kv"])
	bad(t, v, done, "ucp-kv")
	assert.Equal(t, v.level(t, "tar").Verdict, sound)
	assert.Equal(t, v.level(t, "sealed").Verdict, sound)
}

func (a *archives) listed(t *testing.T) {
	list := func(stdin []string, script string) string {
		command := exec.CommandContext(t.Context(), "bash", append([]string{"-c", "set -o pipefail; " + script, "list"}, stdin...)...)
		command.Env = append(os.Environ(), "GNUPGHOME="+gnupgHome(t), "TZ=UTC", "LC_ALL=C.UTF-8")
		out, err := command.Output()
		assert.NilError(t, err)
		return string(out)
	}
	sealed := list([]string{a.pass, a.sealed},
		`gpg --batch --quiet --pinentry-mode loopback --passphrase-file "$1" --decrypt "$2" | tar --list --verbose`)
	for file, want := range map[string]string{
		a.sealed:  sealed,
		a.stopped: list([]string{a.stopped}, `tar --list --verbose --file "$1"`),
		a.online:  list([]string{a.online}, `tar --list --verbose --file "$1"`),
	} {
		done := finish(t, a.command(t.Context(), append(offline(t.TempDir()), "LC_ALL=C.UTF-8"), "ucp", "verify", "--list", "--passphrase-file", a.pass, file))
		assert.Equal(t, done.code, 0, done.stderr)
		lines := strings.Split(strings.TrimSuffix(want, "\n"), "\n")
		assert.Assert(t, len(lines) > 20)
		got := strings.Split(done.stdout, "\n")
		assert.Assert(t, len(got) >= len(lines), "%d lines of %d", len(got), len(lines))
		assert.DeepEqual(t, got[:len(lines)], lines)
	}
}

func (a *archives) fromStdin(t *testing.T) {
	v, done := a.verifyFrom(t, a.sealed, "--passphrase-file", a.pass, "-")
	good(t, v, done, eraOurs)
	v, done = a.verifyFrom(t, a.online, "-")
	good(t, v, done, eraOnline)
}

func (a *archives) wrongKeys(t *testing.T) {
	wrong := write(t, filepath.Join(t.TempDir(), "wrong"), "incorrect horse battery staple\n")
	_, done := a.verify(t, "--passphrase-file", wrong, a.sealed)
	assert.Equal(t, done.code, 4, done.stderr)
	mentions(t, done.stderr, "passphrase")

	_, done = a.verify(t, a.sealed) // nobody can be asked
	assert.Equal(t, done.code, 4, done.stderr)
	mentions(t, done.stderr, "--passphrase-file")

	stranger := makeKey(t, "stranger@example.test", "future-default")
	_, done = a.verify(t, "--identity", stranger.private(t), a.sealed)
	assert.Equal(t, done.code, 4, done.stderr)
}

// copyFile copies an archive so that it can be changed.
func copyFile(t *testing.T, from string) string {
	t.Helper()
	in, err := os.Open(from)
	assert.NilError(t, err)
	defer func() { assert.NilError(t, in.Close()) }()
	to := output(t)
	out, err := os.Create(to)
	assert.NilError(t, err)
	_, err = io.Copy(out, in)
	assert.NilError(t, err)
	assert.NilError(t, out.Close())
	return to
}
