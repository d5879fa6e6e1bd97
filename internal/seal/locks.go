package seal

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/go-crypto/openpgp/s2k"
)

// maxStretchMemory is two to the power of this in KiB: 2 GiB, the most that
// RFC 9106 recommends for Argon2. A stranger's packet could ask for 2 TiB.
const maxStretchMemory = 21

var errTooShort = errors.New("a session-key packet is too short")

// checkLock looks at what the library does not mind in a session-key packet,
// and we do: numbers in a form that no writer makes, so that a changed bit
// shows, and the memory of Argon2.
func checkLock(kind byte, content []byte) error {
	if kind == typePassphrased {
		return checkStretching(content)
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

// checkStretching finds the parameters of Argon2 in a passphrase's packet.
func checkStretching(content []byte) error {
	if len(content) == 0 {
		return errTooShort
	}
	at := 2 // version, cipher
	if content[0] > 5 {
		at = 5 // version, count, cipher, mode, count
	}
	const memory = 1 + s2k.Argon2SaltSize + 2
	if len(content) <= at+memory || s2k.Mode(content[at]) != s2k.Argon2S2K {
		return nil
	}
	if content[at+memory] > maxStretchMemory {
		return fmt.Errorf("stretching the passphrase would take 2^%d KiB of memory", content[at+memory])
	}
	return nil
}
