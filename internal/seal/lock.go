package seal

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/go-crypto/openpgp/s2k"
)

// stretching is the largest count that the format can say (RFC 9580,
// 3.7.1.3): some 40 ms here, and as much again for each guess of an attacker.
const stretching = 65011712

// Lock says who may open a message: whoever knows the passphrase, whoever
// holds a private key of a recipient. Any one of them is enough.
type Lock struct {
	Passphrase []byte
	Recipients openpgp.EntityList
}

// Packets locks the key: what is returned stands at the head of the message
// and tells nothing to those who are not meant. The error names a recipient
// that cannot encrypt, and why.
func (l Lock) Packets(key SessionKey) ([]byte, error) {
	if err := sealable(key); err != nil {
		return nil, err
	}
	if len(l.Passphrase) == 0 && len(l.Recipients) == 0 {
		return nil, errors.New("lock the session key: neither a passphrase nor a recipient")
	}
	var out bytes.Buffer
	now := time.Now()
	for _, recipient := range l.Recipients { // public keys first, as gpg does, so that it asks for no passphrase needlessly
		if err := lockFor(&out, recipient, key, now); err != nil {
			return nil, err
		}
	}
	if len(l.Passphrase) > 0 {
		config := &packet.Config{
			DefaultCipher: packet.CipherAES256,
			S2KConfig:     &s2k.Config{S2KMode: s2k.IteratedSaltedS2K, Hash: crypto.SHA256, S2KCount: stretching},
		}
		if err := packet.SerializeSymmetricKeyEncryptedAEADReuseKey(&out, key.bytes(), l.Passphrase, false, config); err != nil {
			return nil, fmt.Errorf("lock the session key with the passphrase: %w", err)
		}
	}
	return out.Bytes(), nil
}

func lockFor(out io.Writer, recipient *openpgp.Entity, key SessionKey, now time.Time) error {
	public, ok := recipient.EncryptionKey(now)
	if !ok {
		return fmt.Errorf("encrypt to %s: %s", describe(recipient), obstacle(recipient, now))
	}
	err := packet.SerializeEncryptedKeyAEAD(out, public.PublicKey, key.cipher(), false, key.bytes(), nil)
	if err != nil {
		return fmt.Errorf("encrypt to %s: %w", describe(recipient), err)
	}
	return nil
}

// sealable holds for a key of the one cipher that we write.
func sealable(key SessionKey) error {
	if key.IsZero() {
		return errors.New("seal: no session key")
	}
	if key.cipher() != packet.CipherAES256 {
		return fmt.Errorf("seal: the session key is for cipher %d, want AES-256", key.cipher())
	}
	return nil
}

// Format never shows the passphrase.
func (l Lock) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, l.String()) } // fmt keeps the error of its writer

// LogValue never shows the passphrase.
func (l Lock) LogValue() slog.Value { return slog.StringValue(l.String()) }

// String counts who may open, and never shows the passphrase.
func (l Lock) String() string {
	if len(l.Passphrase) == 0 {
		return fmt.Sprintf("lock (%d recipients)", len(l.Recipients))
	}
	return fmt.Sprintf("lock (a passphrase, %d recipients)", len(l.Recipients))
}
