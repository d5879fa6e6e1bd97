package seal

import "bytes"

// Format is how a file that may hold a sealed message begins.
type Format int

// The formats that Detect tells apart.
const (
	NotSealed Format = iota // a plain tar, gzip, or anything else
	Binary                  // an encrypted OpenPGP message
	Armored                 // the same in text
)

const armorHead = "-----BEGIN PGP MESSAGE-----"

// DetectSize is as much of a file as Detect may want to see.
const DetectSize = 64

// Detect looks at the first bytes of a file. They prove nothing: whether it is
// a message shows when it is read.
func Detect(prefix []byte) Format {
	if bytes.HasPrefix(bytes.TrimLeft(prefix, space), []byte(armorHead)) {
		return Armored
	}
	if len(prefix) == 0 || prefix[0]&0x80 == 0 {
		return NotSealed
	}
	kind := prefix[0] & 0x3f
	if prefix[0]&0x40 == 0 {
		kind >>= 2
	}
	switch kind {
	case typePublicKeyed, typePassphrased, typeUnprotected, typeMarker, typeProtected, typeAEAD:
		return Binary
	}
	return NotSealed
}
