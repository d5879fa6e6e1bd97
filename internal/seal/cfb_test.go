package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"testing"

	"gotest.tools/v3/assert"
)

func randomBytes(tb testing.TB, n int) []byte {
	tb.Helper()
	b := make([]byte, n)
	_, err := rand.Read(b)
	assert.NilError(tb, err)
	return b
}

func TestCFBIsThatOfTheStandardLibraryForPiecesOfAnyLength(t *testing.T) {
	for _, keySize := range []int{16, 24, 32} {
		t.Run(fmt.Sprintf("a key of %d bytes", keySize), func(t *testing.T) {
			key, plain := randomBytes(t, keySize), randomBytes(t, 5000)
			block, err := aes.NewCipher(key)
			assert.NilError(t, err)
			want := make([]byte, len(plain))
			cipher.NewCFBEncrypter(block, make([]byte, 16)).XORKeyStream(want, plain) //nolint:staticcheck // the plain one to compare with

			for _, fast := range []bool{true, false} {
				for piece := 1; piece < 300; piece++ {
					c := newCFB(block, key)
					if !fast {
						c.fast = nil
					}
					got := make([]byte, len(plain))
					for at := 0; at < len(plain); at += piece {
						end := min(at+piece, len(plain))
						c.encrypt(got[at:end], plain[at:end])
					}
					assert.Assert(t, bytes.Equal(got, want), "fast %v, pieces of %d bytes", fast, piece)
				}
			}
		})
	}
}

func TestCFBDecryptsPiecesInAnyOrder(t *testing.T) {
	for _, keySize := range []int{16, 24, 32} {
		t.Run(fmt.Sprintf("a key of %d bytes", keySize), func(t *testing.T) {
			key, plain := randomBytes(t, keySize), randomBytes(t, 3000)
			block, err := aes.NewCipher(key)
			assert.NilError(t, err)
			sealed := make([]byte, len(plain))
			newCFB(block, key).encrypt(sealed, plain)
			for _, fast := range []*accelerated{newAccelerated(key), nil} {
				for blocks := 1; blocks < 40; blocks++ {
					got := make([]byte, 0, len(plain))
					for at := 0; at < len(sealed); at += 16 * blocks {
						var u unCFB
						copy(u.before[:], sealed[max(0, at-16):at])
						piece := bytes.Clone(sealed[at:min(len(sealed), at+16*blocks)])
						u.decrypt(block, fast, piece)
						got = append(got, piece...)
					}
					assert.Assert(t, bytes.Equal(got, plain), "fast %v, pieces of %d blocks", fast != nil, blocks)
				}
			}
		})
	}
}

func BenchmarkCFBDecrypt(b *testing.B) {
	key := randomBytes(b, 32)
	block, err := aes.NewCipher(key)
	assert.NilError(b, err)
	for name, fast := range map[string]*accelerated{"accelerated": newAccelerated(key), "plain": nil} {
		b.Run(name, func(b *testing.B) {
			var u unCFB
			data := randomBytes(b, 1<<18)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				u.decrypt(block, fast, data)
			}
		})
	}
}

func BenchmarkCFBEncrypt(b *testing.B) {
	key := randomBytes(b, 32)
	block, err := aes.NewCipher(key)
	assert.NilError(b, err)
	for name, fast := range map[string]*accelerated{"accelerated": newAccelerated(key), "plain": nil} {
		b.Run(name, func(b *testing.B) {
			c := newCFB(block, key)
			c.fast = fast
			src, dst := randomBytes(b, 1<<18), make([]byte, 1<<18)
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				c.encrypt(dst, src)
			}
		})
	}
}
