package seal

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"runtime"
	"testing"

	"gotest.tools/v3/assert"
)

// stretchedBy is a passphrase's packet of version 4 that holds no key of its own.
func stretchedBy(specifier ...byte) []byte { return packetOf(typePassphrased, []byte{4, 9}, specifier) }

func argon2(passes, memory byte) []byte {
	return stretchedBy(append(append([]byte{4}, make([]byte, 16)...), passes, 4, memory)...)
}

// iterated is SHA-256 over as many bytes as the format can say.
func iterated() []byte { return stretchedBy(append([]byte{3, 8}, []byte("saltsalt\xFF")...)...) }

func TestReadHeadBoundsTheStretchingOfPassphrases(t *testing.T) {
	version6 := packetOf(typePassphrased, []byte{6, 32, 9, 2, 20, 4}, make([]byte, 16), []byte{1, 4, 21}, make([]byte, 63))
	body := packetOf(typeProtected, []byte{1}, make([]byte, 60))
	for _, test := range []struct {
		name   string
		locks  []byte
		usable int
		refuse string // what the first that is refused is told
	}{
		{"Argon2 with 64 MiB and 16 passes", argon2(16, 16), 1, ""},
		{"Argon2 with 64 MiB and 17 passes", argon2(17, 16), 0, "too long"},
		{"Argon2 with 1 MiB and all passes", argon2(255, 10), 1, ""},
		{"Argon2 with 128 MiB", argon2(1, 17), 0, "2^17 KiB of memory"},
		{"Argon2 with 2 GiB", argon2(1, 21), 0, "2^21 KiB of memory"},
		{"Argon2 with 2 GiB of version 6", version6, 0, "2^21 KiB of memory"},
		{"Argon2 after Argon2", append(argon2(9, 16), argon2(8, 16)...), 1, "too long"},
		{"little after too much", append(argon2(255, 16), argon2(8, 16)...), 1, "too long"},
		{"GnuPG's most, 16 times", bytes.Repeat(iterated(), 16), 16, ""},
		{"GnuPG's most, 1000 times", bytes.Repeat(iterated(), 1000), 16, "too long"},
		{"Argon2 cut short", packetOf(typePassphrased, []byte{4, 9, 4}, make([]byte, 18)), 0, "too short"},
		{"iterated and cut short", packetOf(typePassphrased, []byte{4, 9, 3, 8}, make([]byte, 8)), 0, "too short"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := ReadHead(bytes.NewReader(append(test.locks, body...)))
			assert.NilError(t, err)
			assert.Equal(t, len(m.phrase), test.usable)
			if test.refuse == "" {
				assert.Equal(t, len(m.unread), 0)
				return
			}
			assert.Assert(t, len(m.unread) > 0)
			assert.ErrorContains(t, errors.New(m.unread[0]), test.refuse)
			if test.usable == 0 {
				_, err = m.Unlock(Keys{Passphrase: []byte(passphrase)})
				assert.ErrorIs(t, err, ErrPassphrase)
				assert.ErrorContains(t, err, test.refuse)
			}
		})
	}
}

func TestUnlockGivesTheMemoryOfEachLockBack(t *testing.T) {
	message := append(bytes.Repeat(argon2(1, 16), 2), packetOf(typeProtected, []byte{1}, randomBytes(t, 60))...)
	m, err := ReadHead(bytes.NewReader(message))
	assert.NilError(t, err)
	_, _ = m.Unlock(Keys{Passphrase: []byte("wrong")}) // one key in 65,536 fits
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	assert.Assert(t, after.HeapAlloc < 32<<20, "%d MiB", after.HeapAlloc>>20)
}

// zlibbed is a compressed packet, without a length as GnuPG writes it.
func zlibbed(tb testing.TB, packets ...io.Reader) []byte {
	tb.Helper()
	out := bytes.NewBuffer([]byte{0xA3, 2})
	w := zlib.NewWriter(out)
	_, err := io.Copy(w, io.MultiReader(packets...))
	assert.NilError(tb, err)
	assert.NilError(tb, w.Close())
	return out.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestOpenGoesNotThroughWhatIsNoDataWithoutEnd(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	const much = 8 << 20
	many := func(packet []byte) io.Reader { return bytes.NewReader(bytes.Repeat(packet, much/len(packet))) }
	data := bytes.NewReader(literalOf("data"))
	signature := func() io.Reader { return io.MultiReader(bytes.NewReader([]byte{0x8B}), io.LimitReader(zeros{}, much)) }
	small := packetOf(typeSignature, make([]byte, 100))
	for _, test := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"a signature", append(packetOf(typeSignature, make([]byte, maxPassed)), literalOf("data")...), "signatures and other packets of more than 256 KiB"},
		{"a compressed signature", zlibbed(t, signature()), "damaged: signatures and other packets of more than"},
		{"many signatures", zlibbed(t, many(small), data), "damaged: signatures and other packets of more than"},
		{"markers of nothing", zlibbed(t, many([]byte{0xCA, 0})), "damaged: signatures and other packets of more than"},
		{"compressed padding", zlibbed(t, many(packetOf(typePadding, make([]byte, 1000)))), "damaged: signatures and other packets of more than"},
		{"signatures behind the data", zlibbed(t, bytes.NewReader(literalOf("data")), many(small)), "damaged: signatures and other packets of more than"},
		{"a signature compressed twice", zlibbed(t, bytes.NewReader(zlibbed(t, signature()))), "damaged: compressed packets in one another"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := opened(protect(t, key, test.content), Keys{SessionKey: key})
			assert.ErrorContains(t, err, test.want)
		})
	}
	for name, content := range map[string][]byte{
		"a signature of usual size": append(packetOf(typeSignature, make([]byte, 50<<10)), literalOf("data")...),
		"padding of any size":       append(literalOf("data"), packetOf(typePadding, make([]byte, 2*maxPassed))...),
		"padding around":            packetOf(typeCompressed, []byte{0}, deflated(t, literalOf("data")), packetOf(typePadding, make([]byte, 2*maxPassed))),
		"junk behind a compressed":  packetOf(typeCompressed, []byte{1}, deflated(t, literalOf("data"))[7:], make([]byte, 2*maxPassed)),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := opened(protect(t, key, content), Keys{SessionKey: key})
			assert.NilError(t, err)
			assert.Equal(t, string(got), "data")
		})
	}
}

// Whoever cannot make sense of the data reads on, to know whether it is damaged
// or was written like this.
func TestReaderHasAVerdictForWhoeverReadsOn(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err = w.Write(randomBytes(t, 9*chunkSize))
	assert.NilError(t, err)
	assert.NilError(t, w.Close())
	senseless := bytes.Clone(packed.Bytes())
	senseless[3*chunkSize] ^= 1
	whole := sealedWith(t, nil, key, senseless, 1<<20, Options{})
	changed := sealedWith(t, nil, key, packed.Bytes(), 1<<20, Options{})
	changed[3*chunkSize] ^= 1
	for name, test := range map[string]struct {
		message []byte
		want    error // nil: right to its end
	}{
		"written like this":  {whole, nil},
		"damaged":            {changed, ErrDamaged},
		"cut short":          {whole[:len(whole)-1], ErrDamaged},
		"with more behind":   {append(bytes.Clone(whole), "more"...), ErrTrailing},
		"its code is damage": {append(bytes.Clone(whole[:len(whole)-1]), ^whole[len(whole)-1]), ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Open(bytes.NewReader(test.message), Keys{SessionKey: key})
			assert.NilError(t, err)
			inner, err := gzip.NewReader(io.LimitReader(r, int64(packed.Len()))) // sees not the end of the message
			assert.NilError(t, err)
			_, err = io.ReadAll(inner)
			assert.Assert(t, err != nil)
			for range 2 { // asked again, it says the same
				_, err = io.Copy(io.Discard, r)
				assert.ErrorIs(t, err, test.want)
			}
			assert.NilError(t, r.Close())
		})
	}
}
