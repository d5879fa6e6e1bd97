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
