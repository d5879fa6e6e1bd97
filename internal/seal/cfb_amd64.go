//go:build !purego

package seal

import (
	"encoding/binary"
	"math/bits"

	"golang.org/x/sys/cpu"
)

// roundKeys is an AES key schedule as the processor's instructions take it.
type roundKeys [15 * 16]byte

// accelerated is the AES of the processor: whole blocks of CFB in one call.
type accelerated struct {
	keys   roundKeys
	rounds int
}

//go:noescape
func subWord(w uint32) uint32

//go:noescape
func encryptCFB256(xk *roundKeys, fr *[16]byte, dst, src *byte, blocks int)

//go:noescape
func decryptCFB8(xk *roundKeys, rounds int, fr *[16]byte, dst, src *byte, groups int)

// newAccelerated gives nil where the processor has no AES instructions.
func newAccelerated(key []byte) *accelerated {
	if !cpu.X86.HasAES {
		return nil
	}
	a := &accelerated{rounds: len(key)/4 + 6}
	a.expand(key)
	return a
}

// expand is the key expansion of FIPS 197, section 5.2.
func (a *accelerated) expand(key []byte) {
	nk := len(key) / 4
	copy(a.keys[:], key)
	rcon := uint32(1)
	for i := nk; i < 4*(a.rounds+1); i++ {
		w := binary.LittleEndian.Uint32(a.keys[4*(i-1):])
		switch {
		case i%nk == 0:
			w = subWord(bits.RotateLeft32(w, -8)) ^ rcon
			rcon = rcon<<1 ^ rcon>>7*0x11b
		case nk > 6 && i%nk == 4:
			w = subWord(w)
		}
		w ^= binary.LittleEndian.Uint32(a.keys[4*(i-nk):])
		binary.LittleEndian.PutUint32(a.keys[4*i:], w)
	}
}

// encrypt does as many whole blocks as it can and says how many bytes.
func (a *accelerated) encrypt(fr *[16]byte, dst, src []byte) int {
	blocks := len(src) / 16
	if a == nil || a.rounds != 14 || blocks == 0 {
		return 0
	}
	encryptCFB256(&a.keys, fr, &dst[:16*blocks][0], &src[0], blocks)
	return 16 * blocks
}

// decrypt does as many groups of eight blocks as it can and says how many bytes.
func (a *accelerated) decrypt(fr *[16]byte, dst, src []byte) int {
	groups := len(src) / 128
	if a == nil || groups == 0 {
		return 0
	}
	decryptCFB8(&a.keys, a.rounds, fr, &dst[:128*groups][0], &src[0], groups)
	return 128 * groups
}
