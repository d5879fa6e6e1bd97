package backup

import (
	"context"
	"encoding/hex"
	"os"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

func TestTheManifestSaysWhereTheArchiveComesFromAndHowItWasTaken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		r := m.backUp(t, func(r *run) { r.opts.Exclude = []string{"ucp-node-certs"} })
		assert.NilError(t, r.err)
		file, err := os.Open(r.opts.Path)
		assert.NilError(t, err)
		defer func() { assert.Check(t, file.Close()) }()
		got, err := archive.ReadManifest(file)
		assert.NilError(t, err)
		assert.Equal(t, got.Tool.Name+" "+got.Tool.Version, "docker-ucp test")
		assert.Equal(t, got.UCP.InstanceID+" "+got.UCP.Version, testInstance+" 3.1.4")
		assert.Equal(t, got.Node.ID+" "+got.Node.Name+" "+got.Node.Role, "node1 manager1 manager")
		assert.Equal(t, got.Engine.Version+" "+got.Engine.OS, "20.10.24 linux")
		assert.Equal(t, got.Quiesce.Mode, "stop")
		assert.DeepEqual(t, got.Quiesce.Stopped, []string{"ucp-controller", "ucp-kv"})
		assert.DeepEqual(t, got.Quiesce.Paused, []string{"ucp-agent"})
		assert.Equal(t, got.Snapshot.Mode, "none")
		assert.DeepEqual(t, got.ExcludedVolumes, []string{"ucp-node-certs"})
		assert.Equal(t, len(got.Volumes), 1)
		assert.Equal(t, got.Volumes[0].Name, "ucp-kv")
		assert.Equal(t, got.Volumes[0].Bytes, int64(200_000))
	})
}

func TestTheManifestOfAPauseSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		r := m.backUp(t, func(r *run) { r.opts.Quiesce = quiesce.Pause })
		assert.NilError(t, r.err)
		file, err := os.Open(r.opts.Path)
		assert.NilError(t, err)
		defer func() { assert.Check(t, file.Close()) }()
		got, err := archive.ReadManifest(file)
		assert.NilError(t, err)
		assert.Equal(t, got.Quiesce.Mode, "pause")
		assert.Equal(t, len(got.Quiesce.Stopped), 0)
		assert.DeepEqual(t, got.Quiesce.Paused, []string{"ucp-agent", "ucp-controller", "ucp-kv"})
		m.assertUntouched(t)
	})
}

func TestTheManifestKnowsTheLocksThatStandBeforeTheArchive(t *testing.T) {
	tests := map[string]struct {
		passphrase string
		recipients int
		direct     bool
	}{
		"a passphrase":               {passphrase: testPassphrase},
		"recipients":                 {recipients: 2},
		"both":                       {passphrase: testPassphrase, recipients: 1},
		"both, straight into a file": {passphrase: testPassphrase, recipients: 1, direct: true},
		"nobody":                     {},
		"nobody, straight to a file": {direct: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var lock *seal.Lock
				if test.passphrase != "" || test.recipients > 0 {
					lock = &seal.Lock{Passphrase: []byte(test.passphrase), Recipients: newKeys(t, test.recipients)}
				}
				m := newManager(t)
				if test.direct {
					m.host = localHost
				}
				m.binds = func(path string) bool { return path == DefaultSocket || test.direct }
				r := m.backUp(t, func(r *run) {
					r.opts.Lock = func(context.Context) (*seal.Lock, error) { return lock, nil }
				})
				assert.NilError(t, r.err)
				file, err := os.Open(r.opts.Path)
				assert.NilError(t, err)
				defer func() { assert.Check(t, file.Close()) }()
				if lock == nil {
					got, err := archive.ReadManifest(file)
					assert.NilError(t, err)
					assert.Equal(t, got.Seal, archive.Seal{})
					return
				}
				message, err := seal.ReadHead(file)
				assert.NilError(t, err)
				assert.Equal(t, message.ForPassphrase(), test.passphrase != "")
				assert.Equal(t, len(message.ForKeys()), test.recipients)
				got := manifestInside(t, message, seal.Keys{Passphrase: lock.Passphrase, Identities: lock.Recipients})
				digest := message.LocksDigest()
				assert.Equal(t, got.Seal.LocksSHA256, hex.EncodeToString(digest[:]))
			})
		})
	}
}

func manifestInside(t *testing.T, message *seal.Message, keys seal.Keys) *archive.Manifest {
	t.Helper()
	key, err := message.Unlock(keys)
	assert.NilError(t, err)
	inside, err := message.Open(key)
	assert.NilError(t, err)
	defer func() { assert.Check(t, inside.Close()) }()
	got, err := archive.ReadManifest(inside)
	assert.NilError(t, err)
	return got
}

// newKeys makes keys that are valid by the clock of the test's bubble.
func newKeys(t *testing.T, n int) (keys openpgp.EntityList) {
	t.Helper()
	for range n {
		key, err := openpgp.NewEntity("operations", "", "ops@example.com", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
		assert.NilError(t, err)
		keys = append(keys, key)
	}
	return keys
}
