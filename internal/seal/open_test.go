package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// opened reads a message to its end.
func opened(message []byte, keys Keys) (data []byte, err error) {
	r, err := Open(bytes.NewReader(message), keys)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(r)
}

func TestOpenGivesBackWhatWasSealed(t *testing.T) {
	const first = chunkSize - len(literalHead)
	key, err := NewSessionKey()
	assert.NilError(t, err)
	for _, compress := range []Compression{None, Zlib} {
		for _, size := range []int{0, 1, 15, 16, 17, 100, 186, 8378, first - 1, first, first + 1, chunkSize, 2*chunkSize - 70, 2 * chunkSize, 4<<20 + 99} {
			data := randomBytes(t, size)
			message := sealedWith(t, nil, key, data, 1<<20, Options{Compress: compress})
			got, err := opened(message, Keys{SessionKey: key})
			assert.NilError(t, err, "%d bytes, compression %d", size, compress)
			assert.Assert(t, bytes.Equal(got, data), "%d bytes, compression %d", size, compress)
		}
	}
}

func TestOpenReadsWhatGPGSeals(t *testing.T) {
	gpg, file := newGPG(t), passphraseFile(t, passphrase)
	text := []byte(strings.Repeat("the quick brown fox jumps over the lazy dog\n", 20000))
	for _, cipher := range []string{"AES", "AES192", "AES256", "3DES", "CAST5"} {
		for _, compress := range []string{"none", "zip", "zlib", "bzip2"} {
			for _, armor := range []string{"--no-armor", "--armor"} {
				t.Run(fmt.Sprintf("%s %s %s", cipher, compress, armor), func(t *testing.T) {
					args := []string{"--passphrase-file", file, "--cipher-algo", cipher, "--compress-algo", compress, armor, "--force-mdc", "--symmetric"}
					got, err := opened(gpg.must(t, text, args...), Keys{Passphrase: []byte(passphrase)})
					assert.NilError(t, err)
					assert.Assert(t, bytes.Equal(got, text))
				})
			}
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	key, err := NewSessionKey()
	assert.NilError(b, err)
	data := make([]byte, 64<<20)
	_, err = rand.Read(data)
	assert.NilError(b, err)
	message := sealedWith(b, nil, key, data, 1<<20, Options{})
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		r, err := Open(bytes.NewReader(message), Keys{SessionKey: key})
		assert.NilError(b, err)
		_, err = io.Copy(io.Discard, r)
		assert.NilError(b, err)
		assert.NilError(b, r.Close())
	}
}
