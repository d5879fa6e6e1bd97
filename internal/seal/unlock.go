package seal

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// maxPassphrased bounds the work that a stranger's message can ask for, since
// stretching a passphrase takes its time for each packet.
const maxPassphrased = 32

// Keys is what may open a message. A session key is used alone; otherwise the
// private keys are tried first, as they cost less.
type Keys struct {
	Passphrase []byte
	Identities openpgp.EntityList // private keys, see ReadIdentities
	SessionKey SessionKey
}

// Unlock is the operator's half: from the head of a message to its session
// key, so that passphrase and private key need not go where the data is.
func Unlock(r io.Reader, keys Keys) (SessionKey, error) {
	m, err := ReadHead(r)
	if err != nil {
		return SessionKey{}, err
	}
	return m.Unlock(keys)
}

// Unlock finds the session key. It may be called again with other keys. Data
// is not read, so the key is proven by reading the message to its end only.
func (m *Message) Unlock(keys Keys) (SessionKey, error) {
	for c := range m.candidates(keys) {
		if m.fits(c) {
			m.proven = c.proven
			return c.key, nil
		}
	}
	return SessionKey{}, m.locked(keys)
}

// candidate is a key that one of the locks gave.
type candidate struct {
	key    SessionKey
	proven bool // by a checksum of its own, and not by the random prefix
}

// candidates tries the locks one after the other, and only as far as is asked.
func (m *Message) candidates(keys Keys) iter.Seq[candidate] {
	return func(yield func(candidate) bool) {
		if !keys.SessionKey.IsZero() {
			yield(candidate{keys.SessionKey, false})
			return
		}
		for _, p := range m.keyed {
			for _, private := range privateKeys(keys.Identities, p.KeyId) {
				if c, ok := m.byPrivateKey(p, private); ok && !yield(c) {
					return
				}
			}
		}
		for _, p := range m.phrase[:min(len(m.phrase), maxPassphrased)] {
			if c, ok := m.byPassphrase(p, keys.Passphrase); ok && !yield(c) {
				return
			}
		}
	}
}

// byPrivateKey is a proof: what the lock holds has a checksum in a padding.
func (m *Message) byPrivateKey(p *packet.EncryptedKey, private *packet.PrivateKey) (candidate, bool) {
	if p.Decrypt(private, nil) != nil {
		return candidate{}, false
	}
	key, err := newKey(m.cipherOf(p.CipherFunc), bytes.Clone(p.Key))
	return candidate{key, true}, err == nil
}

// byPassphrase is a proof where the lock is of RFC 9580 and uses AEAD.
func (m *Message) byPassphrase(p *packet.SymmetricKeyEncrypted, passphrase []byte) (candidate, bool) {
	if len(passphrase) == 0 {
		return candidate{}, false
	}
	raw, cipher, err := p.Decrypt(passphrase)
	if m.argon2 {
		debug.FreeOSMemory() // before the next one takes as much again
	}
	if err != nil {
		return candidate{}, false
	}
	key, err := newKey(m.cipherOf(cipher), raw)
	return candidate{key, p.Version > 4}, err == nil
}

// cipherOf a lock that does not say it is what the data's packet says.
func (m *Message) cipherOf(cipher packet.CipherFunction) packet.CipherFunction {
	if m.cipher != 0 {
		return m.cipher
	}
	return cipher
}

// privateKeys that are ready for use and may be meant; ID zero means any.
func privateKeys(identities openpgp.EntityList, id uint64) []*packet.PrivateKey {
	keys := identities.KeysById(id)
	if id == 0 {
		keys = identities.DecryptionKeys()
	}
	var ready []*packet.PrivateKey
	for _, k := range keys {
		if k.PrivateKey != nil && !k.PrivateKey.Encrypted && !k.PrivateKey.Dummy() {
			ready = append(ready, k.PrivateKey)
		}
	}
	return ready
}

// fits looks at the two bytes that stand twice in the prefix. One wrong key in
// 65536 passes, so they are no proof; and where the key has a proof they are not
// looked at, as RFC 9580, 5.13.1 wants it.
func (m *Message) fits(c candidate) bool {
	if m.prefix == nil || c.proven {
		return true
	}
	size := 8
	if c.key.cipher() >= packet.CipherAES128 {
		size = 16
	}
	// A packet that resynchronises starts afresh after its own prefix, here
	// zeros: what follows is decrypted as any message's first bytes are.
	p := packet.SymmetricallyEncrypted{Contents: bytes.NewReader(append(make([]byte, size+2), m.prefix...))}
	plain := make([]byte, size+2)
	r, err := p.Decrypt(c.key.cipher(), c.key.bytes())
	if err != nil {
		return false
	}
	if _, err := io.ReadFull(r, plain); err != nil {
		return false
	}
	return bytes.Equal(plain[size-2:size], plain[size:])
}

// locked says why no key was found, and what would open the message.
func (m *Message) locked(keys Keys) error {
	var ids []string
	for _, id := range m.ForKeys() {
		ids = append(ids, fmt.Sprintf("%016X", id))
	}
	switch {
	case !keys.SessionKey.IsZero():
		return noKey("the session key is not that of the message, or the message is damaged at its head")
	case len(m.phrase) > 0 && len(keys.Passphrase) > 0:
		return noKey("wrong passphrase, or the message is damaged at its head")
	case len(m.keyed) > 0 && len(keys.Identities) > 0:
		return noKey("none of the private keys opens the message")
	case len(m.phrase) > 0:
		return noKey("the message is locked with a passphrase, and none was given")
	case len(m.keyed) > 0:
		return noKey("the message is locked for the private key %s", strings.Join(ids, ", "))
	case len(m.unread) > 0:
		return noKey("no session-key packet of the message can be used: %s", m.unread[0])
	}
	return noKey("the message has no session-key packet: it takes its session key to open it")
}

// Format never shows a secret.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) } // fmt keeps the error of its writer

// LogValue never shows a secret.
func (k Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }

// String counts, and never shows a secret.
func (k Keys) String() string {
	return fmt.Sprintf("keys (passphrase %t, private keys %d, session key %t)",
		len(k.Passphrase) > 0, len(k.Identities), !k.SessionKey.IsZero())
}
