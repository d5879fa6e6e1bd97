package seal

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// packetOf is a packet of the new format with a length in five bytes.
func packetOf(kind int, body ...[]byte) []byte {
	all := bytes.Join(body, nil)
	return append(binary.BigEndian.AppendUint32([]byte{0xC0 | byte(kind), 0xFF}, uint32(len(all))), all...)
}

func literalOf(data string) []byte { return packetOf(typeLiteral, []byte(literalHead+data)) }

// protect is the plainest way to write the encrypted packet, with any content.
func protect(tb testing.TB, key SessionKey, content []byte) []byte {
	tb.Helper()
	block, err := aes.NewCipher(key.bytes())
	assert.NilError(tb, err)
	prefix := randomBytes(tb, aes.BlockSize)
	plain := append(append(prefix, prefix[aes.BlockSize-2:]...), content...)
	plain = append(plain, tagMDC, sha1.Size)
	sum := sha1.Sum(plain)
	plain = append(plain, sum[:]...)
	body := make([]byte, 1+len(plain))
	body[0] = sealedVersion
	newCFB(block, key.bytes()).encrypt(body[1:], plain)
	return packetOf(typeProtected, body)
}

func deflated(tb testing.TB, packets []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	assert.NilError(tb, err)
	_, err = w.Write(packets)
	assert.NilError(tb, err)
	assert.NilError(tb, w.Close())
	return packetOf(typeCompressed, []byte{1}, out.Bytes())
}

func TestOpenRefusesPacketsThatMakeNoMessage(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	nested := literalOf("data")
	for range maxNesting + 1 {
		nested = deflated(t, nested)
	}
	for _, test := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"nothing", nil, "cut short"},
		{"no packet", []byte("data"), "where a packet should begin"},
		{"two literal packets", append(literalOf("a"), literalOf("b")...), "behind the data: packet of type 11"},
		{"a second literal packet behind a compressed one", append(deflated(t, literalOf("a")), literalOf("b")...), "behind the data: packet of type 11"},
		{"a literal packet that ends early", packetOf(typeLiteral, []byte("b\x00\x00")), "cut short"},
		{"a literal packet longer than the message", append([]byte{tagLiteral, 100}, literalHead...), "cut short"},
		{"a message in the message", packetOf(typeProtected, []byte{1}), "packet of type 18"},
		{"compressed packets in one another", nested, "compressed packets in one another"},
		{"a compression that nobody knows", packetOf(typeCompressed, []byte{99}), "method 99, which is not known"},
		{"a compressed packet of junk", packetOf(typeCompressed, []byte{2}, []byte("junk")), "zlib"},
		{"a compressed packet of nothing", packetOf(typeCompressed), "cut short"},
		{"a signature alone", packetOf(typeSignature, []byte("x")), "cut short"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := opened(protect(t, key, test.content), Keys{SessionKey: key})
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestOpenPassesOverWhatTheStandardAllows(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	marker, padding, future := packetOf(typeMarker, []byte("PGP")), packetOf(typePadding, make([]byte, 9)), packetOf(60, []byte("x"))
	for name, message := range map[string][]byte{
		"before the data":   protect(t, key, append(marker, literalOf("data")...)),
		"behind the data":   protect(t, key, append(literalOf("data"), padding...)),
		"before the packet": append(bytes.Join([][]byte{marker, future, padding}, nil), protect(t, key, literalOf("data"))...),
		"around a compressed packet": protect(t, key, bytes.Join([][]byte{
			packetOf(typeOnePass, []byte("x")), deflated(t, literalOf("data")), packetOf(typeSignature, []byte("y")),
		}, nil)),
		"old format, lengths of one, two and four bytes": protect(t, key, []byte("\xAC\x0Ab\x00\x00\x00\x00\x00data")),
		"old format, no length":                          protect(t, key, []byte("\xAFb\x00\x00\x00\x00\x00data")),
		"partial lengths of a byte":                      protect(t, key, []byte("\xCB\xE3b\x00\x00\x00\x00\x00da\xE0t\x01a")),
		"a name and a date":                              protect(t, key, []byte("\xCB\x0Cb\x02ab\x01\x02\x03\x04data")),
	} {
		t.Run(name, func(t *testing.T) {
			data, err := opened(message, Keys{SessionKey: key})
			assert.NilError(t, err)
			assert.Equal(t, string(data), "data")
		})
	}
}

func TestReadHeadBoundsWhatAStrangerCanAskFor(t *testing.T) {
	salt := make([]byte, 16)
	phrase := func(s2k ...byte) []byte { return packetOf(typePassphrased, []byte{4, 9}, s2k, make([]byte, 33)) }
	argon := func(memory byte) []byte { return phrase(append(append([]byte{4}, salt...), 1, 1, memory)...) }
	body := packetOf(typeProtected, []byte{1}, make([]byte, 60))
	for _, test := range []struct {
		name    string
		message []byte
		want    string
	}{
		{"nothing", nil, "the file is empty"},
		{"a tar", []byte(strings.Repeat("./ucp-kv\x00", 100)), "not an encrypted OpenPGP message"},
		{"a head alone", phrase(0, 8), "cut short: it ends inside its head"},
		{"Argon2 with 2 TiB", append(argon(31), body...), "2^31 KiB of memory"},
		{"a session-key packet of a megabyte", append(packetOf(typePassphrased, make([]byte, 1<<20)), body...), "more than 8 KiB"},
		{"session-key packets without end", bytes.Repeat(phrase(0, 8), 2*maxLocks), "more than 1024 packets"},
		{"markers without end", bytes.Repeat(packetOf(typeMarker, []byte("PGP")), 2*maxLocks), "more than 1024 packets"},
		{"an armor whose head does not end", []byte(armorHead + "\nComment: " + strings.Repeat("x", 1<<20)), "a head of more than 256 KiB"},
		{"an unknown version", append(phrase(0, 8), packetOf(typeProtected, []byte{9}, make([]byte, 60))...), "of version 9"},
		{"a key", append(packetOf(typeMarker, []byte("PGP")), keyFile(t, "rsa.pgp")...), "packet of type 6"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := opened(test.message, Keys{Passphrase: []byte(passphrase)})
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestOpenReadsArmorToItsLastLine(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	message := sealedWith(t, nil, key, []byte(strings.Repeat("data", 1000)), 1<<20, Options{})
	var text strings.Builder
	fmt.Fprintf(&text, "%s\nVersion: 1\n\n", armorHead)
	encoded := base64.StdEncoding.EncodeToString(message)
	for len(encoded) > 64 {
		fmt.Fprintln(&text, encoded[:64])
		encoded = encoded[64:]
	}
	fmt.Fprintln(&text, encoded)
	lines := text.String()
	for _, end := range []string{"=abcd\n" + armorTail + "\n", armorTail, armorTail + "\n\n"} {
		data, err := opened([]byte(lines+end), Keys{SessionKey: key})
		assert.NilError(t, err)
		assert.Equal(t, len(data), 4000)
	}
	whole := lines + "=abcd\n" + armorTail
	for size := range whole {
		if size < len(armorHead) || size > len(whole)-200 || size%50 == 0 {
			_, err := opened([]byte(whole[:size]), Keys{SessionKey: key})
			assert.Assert(t, err != nil, "%d of %d bytes", size, len(whole))
		}
	}
	for _, after := range []string{"more", "\n" + whole} {
		_, err := opened([]byte(whole+"\n"+after), Keys{SessionKey: key})
		assert.ErrorIs(t, err, ErrTrailing, "%.20q", after)
	}
}

func TestDetectKnowsASealedFileByItsFirstBytes(t *testing.T) {
	for _, test := range []struct {
		prefix string
		want   Format
	}{
		{"", NotSealed},
		{"./ucp-kv/", NotSealed},
		{"\x1F\x8B\x08", NotSealed},
		{"\xC3\x2E\x04\x09", Binary},
		{"\x8C\x0D\x04\x09", Binary},
		{"\x85\x01\x8C\x03", Binary},
		{"\xC1\xC0\x4C\x03", Binary},
		{"\xD2\x50\x01", Binary},
		{"\xA3\x01", NotSealed},
		{"\x99\x01\x8D\x04", NotSealed},
		{armorHead, Armored},
		{"\n\n" + armorHead + "\n", Armored},
		{"-----BEGIN PGP PUBLIC KEY BLOCK-----", NotSealed},
	} {
		assert.Equal(t, Detect([]byte(test.prefix)), test.want, "%q", test.prefix)
	}
}

func TestOpenThatFailsLeavesNoGoroutine(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	large := sealedWith(t, nil, key, randomBytes(t, 20*chunkSize), 1<<20, Options{})
	damage := bytes.Clone(large)
	damage[5*chunkSize] ^= 1
	for name, message := range map[string][]byte{
		"a bad code":       damage,
		"cut short":        large[:7*chunkSize],
		"no packet inside": protect(t, key, make([]byte, 10*chunkSize)),
	} {
		t.Run(name, func(t *testing.T) {
			ends(t, func(t *testing.T) {
				_, err := opened(message, Keys{SessionKey: key})
				assert.Assert(t, err != nil)
			})
		})
	}
}

func TestReaderCanBeGivenUpAnywhere(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	message := sealedWith(t, nil, key, randomBytes(t, 4<<20), 1<<20, Options{})
	for _, size := range []int64{0, 1, chunkSize, 3 << 20} {
		ends(t, func(t *testing.T) {
			r, err := Open(bytes.NewReader(message), Keys{SessionKey: key})
			assert.NilError(t, err)
			_, err = io.CopyN(io.Discard, r, size)
			assert.NilError(t, err)
			assert.NilError(t, r.Close())
			assert.NilError(t, r.Close())
			_, err = r.Read(make([]byte, 10))
			assert.ErrorIs(t, err, errClosed)
		})
	}
}
