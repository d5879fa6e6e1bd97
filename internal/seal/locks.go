package seal

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/go-crypto/openpgp/s2k"
)

// What the locks of a message may ask for. A stranger's packet could want 2 TiB
// and 255 passes, and nobody can be told to stop meanwhile.
const (
	// maxStretchMemory is two to the power of this in KiB: 64 MiB, what RFC 9106
	// recommends for Argon2 where memory is scarce.
	maxStretchMemory = 16
	// maxStretchWork is for all locks together, in bytes that are hashed or filled.
	// It is enough for 16 passphrases as GnuPG stretches them at its most, or for
	// one of Argon2 with 64 MiB and 16 passes.
	maxStretchWork = 1 << 30
)

var errTooShort = errors.New("a session-key packet is too short")

// checkLock looks at what the library does not mind in a session-key packet,
// and we do: numbers in a form that no writer makes, so that a changed bit
// shows, and the work and memory that it takes to stretch a passphrase.
func (m *Message) checkLock(kind byte, content []byte) error {
	if kind == typePassphrased {
		return m.checkStretching(content)
	}
	if len(content) < 10 {
		return errTooShort
	}
	if content[0] != 3 {
		return nil
	}
	fields := content[10:]
	switch packet.PublicKeyAlgorithm(content[9]) {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSAEncryptOnly:
		_, err := mpi(fields)
		return err
	case packet.PubKeyAlgoElGamal:
		first, err := mpi(fields)
		if err != nil {
			return err
		}
		_, err = mpi(fields[2+len(first):])
		return err
	case packet.PubKeyAlgoECDH:
		point, err := mpi(fields)
		if err != nil {
			return err
		}
		// 33 bytes are Curve25519's: a 0x40 and a number below 2^255, whose
		// top bit the arithmetic ignores.
		if len(point) == 33 && (point[0] != 0x40 || point[32]&0x80 != 0) {
			return errors.New("a session-key packet holds a malformed point")
		}
	default: // the library judges what is in there
	}
	return nil
}

// mpi is a number of RFC 9580, 3.2: its length in bits, from the first that is
// set, and as many bytes as these take. golang.org/x/crypto counts the bits of
// its whole bytes.
func mpi(b []byte) ([]byte, error) {
	if len(b) < 3 {
		return nil, errTooShort
	}
	length := int(b[0])<<8 | int(b[1])
	number := b[2:]
	if (length+7)/8 > len(number) {
		return nil, errTooShort
	}
	number = number[:(length+7)/8]
	if length == 0 || length != 8*len(number) && length != 8*(len(number)-1)+bits.Len8(number[0]) {
		return nil, errors.New("a session-key packet holds a malformed number")
	}
	return number, nil
}

// checkStretching adds up what the passphrases' packets ask for. One that asks
// for too much is refused and does not count.
func (m *Message) checkStretching(content []byte) error {
	if len(content) == 0 {
		return errTooShort
	}
	at := 2 // version, cipher
	if content[0] > 5 {
		at = 5 // version, count, cipher, mode, count
	}
	if len(content) <= at {
		return errTooShort
	}
	specifier := content[at:] // RFC 9580, 3.7.1
	var work int64
	switch s2k.Mode(specifier[0]) {
	case s2k.IteratedSaltedS2K:
		const count = 1 + 1 + 8 // mode, hash, salt
		if len(specifier) <= count {
			return errTooShort
		}
		work = int64(16+specifier[count]&15) << (specifier[count]>>4 + 6)
	case s2k.Argon2S2K:
		const passes, memory = 1 + s2k.Argon2SaltSize, 1 + s2k.Argon2SaltSize + 2
		if len(specifier) <= memory {
			return errTooShort
		}
		if specifier[memory] > maxStretchMemory {
			return fmt.Errorf("stretching the passphrase with Argon2 would take 2^%d KiB of memory, and 2^%d is the most here; "+
				"the session key, from a program that can, opens the message", specifier[memory], maxStretchMemory)
		}
		work = int64(specifier[passes]) << specifier[memory] << 10
		m.argon2 = true
	default: // at once
	}
	if work > maxStretchWork-m.stretch {
		return fmt.Errorf("stretching the passphrase would take too long: the most for all passphrases is %d MiB to go over; "+
			"the session key, from a program that has the patience, opens the message", maxStretchWork>>20)
	}
	m.stretch += work
	return nil
}
