package seal

import (
	"fmt"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Describe says how the message is encrypted and who can open it, such as
// "AES-256, for a passphrase and 2 keys". The cipher of most messages is known
// once they are open, and is left out before.
func (m *Message) Describe() string {
	var who []string
	if len(m.phrase) > 0 {
		who = append(who, counted(len(m.phrase), "a passphrase", "passphrases"))
	}
	if len(m.keyed) > 0 {
		who = append(who, counted(len(m.keyed), "a key", "keys"))
	}
	if len(m.unread) > 0 {
		who = append(who, counted(len(m.unread), "one more that cannot be used here", "more that cannot be used here"))
	}
	if len(who) == 0 {
		who = append(who, "whoever has the session key")
	}
	text := "for " + enumerate(who)
	if m.cipher != 0 {
		return cipherName(m.cipher) + ", " + text
	}
	if m.opened != 0 {
		return cipherName(m.opened) + ", " + text
	}
	return text
}

func counted(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func enumerate(parts []string) string {
	last := len(parts) - 1
	if last == 0 {
		return parts[0]
	}
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}

// cipherName is the cipher as people call it (RFC 9580, 9.3).
func cipherName(cipher packet.CipherFunction) string {
	switch cipher {
	case packet.Cipher3DES:
		return "3DES"
	case packet.CipherCAST5:
		return "CAST5"
	case packet.CipherAES128:
		return "AES-128"
	case packet.CipherAES192:
		return "AES-192"
	case packet.CipherAES256:
		return "AES-256"
	}
	return fmt.Sprintf("cipher %d", cipher)
}
