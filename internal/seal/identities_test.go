package seal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"gotest.tools/v3/assert"
)

func keyFile(tb testing.TB, names ...string) []byte {
	tb.Helper()
	var all []byte
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join("testdata", "keys", name))
		assert.NilError(tb, err)
		all = append(all, b...)
	}
	return all
}

func identities(tb testing.TB, name, passphrase string) openpgp.EntityList {
	tb.Helper()
	keys, err := ReadIdentities(bytes.NewReader(keyFile(tb, name)), name, func(string) ([]byte, error) { return []byte(passphrase), nil })
	assert.NilError(tb, err)
	return keys
}

func TestReadRecipientsTakesFilesAsGPGExportsThem(t *testing.T) {
	for _, test := range []struct {
		name string
		file []byte
		want int
	}{
		{"one binary key", keyFile(t, "rsa.pgp"), 1},
		{"two binary keys in a row", keyFile(t, "rsa.pgp", "curve25519.pgp"), 2},
		{"two armored blocks in a row", keyFile(t, "two.asc"), 2},
		{"armor behind other text", append([]byte("Here is my key:\n\n"), keyFile(t, "two.asc")...), 2},
		{"a key whose private part has a passphrase", keyFile(t, "protected.pgp"), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			keys, err := ReadRecipients(bytes.NewReader(test.file), "keys")
			assert.NilError(t, err)
			assert.Equal(t, len(keys), test.want)
		})
	}
}

func TestReadRecipientsRefusesAFileThatCannotEncryptToAllItNames(t *testing.T) {
	var message bytes.Buffer
	w, err := armor.Encode(&message, "PGP MESSAGE", nil)
	assert.NilError(t, err)
	assert.NilError(t, w.Close())
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"an empty file", nil, "recipients.asc holds no OpenPGP key"},
		{"a file of something else", []byte("root:x:0:0\n"), "recipients.asc holds no OpenPGP key"},
		{"an armored message", message.Bytes(), `it holds a "PGP MESSAGE", no keys`},
		{"a private key", keyFile(t, "rsa.secret.pgp"), "gpg --export"},
		{"an expired key", keyFile(t, "expired.pgp"), `"expired <expired@example.com>"`},
		{"an expired key, and why", keyFile(t, "expired.pgp"), "has expired"},
		{"a revoked key", keyFile(t, "revoked.pgp"), "the key is revoked"},
		{"a key for signatures", keyFile(t, "signonly.pgp"), "can sign, and cannot encrypt"},
		{"a good key and a revoked one", keyFile(t, "rsa.pgp", "revoked.pgp"), `"revoked <revoked@example.com>"`},
		{"a key cut short", keyFile(t, "rsa.pgp")[:900], "read OpenPGP keys from recipients.asc"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ReadRecipients(bytes.NewReader(test.file), "recipients.asc")
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestReadRecipientsTellsAReadErrorAndAnEndlessFile(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, at := range []int{0, 1, 100, 1000} {
		r := io.MultiReader(bytes.NewReader(keyFile(t, "rsa.pgp")[:at]), errReader{broken})
		_, err := ReadRecipients(r, "keys")
		assert.ErrorIs(t, err, broken, "after %d bytes", at)
	}
	_, err := ReadRecipients(endless('x'), "keys")
	assert.ErrorContains(t, err, "larger than 16 MiB")
}

// endless is a reader of one byte, again and again.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

func TestLockNamesTheRecipientThatCannotEncrypt(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	for _, test := range []struct{ file, want string }{
		{"expired.pgp", `encrypt to "expired <expired@example.com>" (`},
		{"revoked.pgp", "the key is revoked"},
		{"signonly.pgp", "the key can sign, and cannot encrypt"},
	} {
		t.Run(test.file, func(t *testing.T) {
			keys, err := openpgp.ReadKeyRing(bytes.NewReader(keyFile(t, test.file)))
			assert.NilError(t, err)
			packets, err := Lock{Recipients: append(recipients(t, "rsa.pgp"), keys...)}.Packets(key)
			assert.ErrorContains(t, err, test.want)
			assert.Equal(t, len(packets), 0)
		})
	}
	_, err = Lock{}.Packets(key)
	assert.ErrorContains(t, err, "neither a passphrase nor a recipient")
	_, err = Lock{Passphrase: []byte(passphrase)}.Packets(SessionKey{})
	assert.ErrorContains(t, err, "no session key")
}

func TestObstacleTellsWhatIsWrongWithASubkey(t *testing.T) {
	now := time.Now()
	fresh := func() *openpgp.Entity {
		e, err := openpgp.NewEntity("sub", "", "sub@example.com", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
		assert.NilError(t, err)
		e.Subkeys = nil
		assert.NilError(t, e.AddEncryptionSubkey(&packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: 60}))
		return e
	}
	revoked := fresh()
	assert.NilError(t, revoked.RevokeSubkey(&revoked.Subkeys[0], packet.NoReason, "", nil))
	for _, test := range []struct {
		name string
		key  *openpgp.Entity
		at   time.Time
		want string
	}{
		{"expired", fresh(), now.Add(time.Hour), "its subkey for encryption has expired or is not valid yet"},
		{"revoked", revoked, now, "its subkey for encryption is revoked"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := lockFor(io.Discard, test.key, SessionKey{}, test.at)
			assert.ErrorContains(t, err, `encrypt to "sub <sub@example.com>" (`)
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestReadIdentitiesUnlocksPrivateKeys(t *testing.T) {
	message, _ := sealed(t, Lock{Recipients: recipients(t, "rsa.pgp", "curve25519.pgp", "protected.pgp")}, []byte("data"))
	for _, test := range []struct{ file, passphrase string }{
		{"rsa.secret.pgp", ""},
		{"curve25519.secret.pgp", ""},
		{"protected.secret.pgp", "the key is locked"},
	} {
		t.Run(test.file, func(t *testing.T) {
			got, err := opened(message, Keys{Identities: identities(t, test.file, test.passphrase)})
			assert.NilError(t, err)
			assert.Equal(t, string(got), "data")
		})
	}
}

func TestReadIdentitiesRefusesWhatCannotOpenAnything(t *testing.T) {
	wrong := func(string) ([]byte, error) { return []byte("wrong"), nil }
	nobody := func(string) ([]byte, error) { return nil, errors.New("nobody is there") }
	for _, test := range []struct {
		name, file string
		ask        func(string) ([]byte, error)
		want       string
		kind       error
	}{
		{"a public key", "rsa.pgp", nil, "holds the public part alone", nil},
		{"a locked key and no passphrase", "protected.secret.pgp", nil, "has a passphrase of its own", ErrPassphrase},
		{"a locked key and a wrong passphrase", "protected.secret.pgp", wrong, "wrong passphrase for the private key", ErrPassphrase},
		{"a locked key and nobody to ask", "protected.secret.pgp", nobody, "nobody is there", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ReadIdentities(bytes.NewReader(keyFile(t, test.file)), "id", test.ask)
			assert.ErrorContains(t, err, test.want)
			assert.Equal(t, errors.Is(err, ErrPassphrase), test.kind != nil)
		})
	}
}
