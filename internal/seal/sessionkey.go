package seal

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// SessionKey is the key of one message and the cipher it is for. It prints,
// logs and marshals as "session key (hidden)"; only Reveal shows it. Copies
// share the key: wiping one wipes all.
type SessionKey struct {
	hold func() *secret // fmt looks through unexported fields and pointers, and not into a function
}

type secret struct {
	cipher packet.CipherFunction
	key    []byte
}

const hidden = "session key (hidden)"

// NewSessionKey draws a key for AES-256.
func NewSessionKey() (SessionKey, error) {
	key := make([]byte, packet.CipherAES256.KeySize())
	if _, err := rand.Read(key); err != nil {
		return SessionKey{}, fmt.Errorf("draw a session key: %w", err)
	}
	return newKey(packet.CipherAES256, key)
}

func newKey(cipher packet.CipherFunction, key []byte) (SessionKey, error) {
	if !cipher.IsSupported() {
		return SessionKey{}, fmt.Errorf("session key: cipher %d is not known", cipher)
	}
	if len(key) != cipher.KeySize() {
		return SessionKey{}, fmt.Errorf("session key: cipher %d takes %d bytes, not %d", cipher, cipher.KeySize(), len(key))
	}
	s := &secret{cipher, key}
	return SessionKey{func() *secret { return s }}, nil
}

func (k SessionKey) cipher() packet.CipherFunction { return k.hold().cipher }

func (k SessionKey) bytes() []byte { return k.hold().key }

// ParseSessionKey reads what Reveal and `gpg --show-session-key` print: the
// number of the cipher, a colon, the key in hexadecimal. The error never
// quotes the text.
func ParseSessionKey(text []byte) (SessionKey, error) {
	number, digits, found := bytes.Cut(bytes.TrimSpace(text), []byte(":"))
	cipher, err := strconv.ParseUint(string(number), 10, 8)
	if !found || err != nil {
		return SessionKey{}, errors.New("session key: want the cipher's number, a colon and the key in hexadecimal, as gpg --show-session-key prints it")
	}
	key := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(key, digits); err != nil {
		return SessionKey{}, errors.New("session key: what follows the colon is not hexadecimal")
	}
	return newKey(packet.CipherFunction(cipher), key)
}

// Reveal is the key in gpg's notation, such as 9:0123… for AES-256. Whoever
// has it can open the message.
func (k SessionKey) Reveal() []byte {
	if k.IsZero() {
		return nil
	}
	text := strconv.AppendUint(nil, uint64(k.cipher()), 10)
	return hex.AppendEncode(append(text, ':'), k.bytes())
}

// IsZero says that there is no key, because none was drawn or it was wiped.
func (k SessionKey) IsZero() bool { return k.hold == nil || len(k.bytes()) == 0 }

// Equal compares in constant time.
func (k SessionKey) Equal(other SessionKey) bool {
	if k.IsZero() || other.IsZero() {
		return k.IsZero() == other.IsZero()
	}
	return k.cipher() == other.cipher() && subtle.ConstantTimeCompare(k.bytes(), other.bytes()) == 1
}

// Wipe overwrites the key, in every copy.
func (k SessionKey) Wipe() {
	if k.hold != nil {
		clear(k.bytes())
		k.hold().key = nil
	}
}

// String never shows the key.
func (k SessionKey) String() string { return hidden }

// GoString never shows the key.
func (k SessionKey) GoString() string { return hidden }

// LogValue never shows the key.
func (k SessionKey) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText never shows the key, so that JSON made by accident holds none.
func (k SessionKey) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// UnmarshalText refuses: a key is read by ParseSessionKey, on purpose.
func (k *SessionKey) UnmarshalText([]byte) error {
	return errors.New("session key: not read from here, see ParseSessionKey")
}
