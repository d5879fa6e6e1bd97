package seal

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// checked is a stream that the library decrypts: ciphers with small blocks,
// AEAD, and what has no protection. Its Close is where the library looks at the
// last proof, so that comes before io.EOF.
type checked struct {
	r   io.ReadCloser
	err error
}

func (c *checked) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(p)
	if errors.Is(err, io.EOF) {
		if c.err = c.r.Close(); c.err == nil {
			c.err = io.EOF
		} else {
			c.err = inside("the encrypted data", c.err)
		}
		return n, c.err
	}
	if err != nil {
		c.err = inside("the encrypted data", err)
	}
	return n, c.err
}

// openByLibrary gives the library the packet as it stood.
func (m *Message) openByLibrary(body io.Reader, key SessionKey) (byteStream, error) {
	var data packet.EncryptedDataPacket
	if m.cipher == 0 {
		data = &packet.SymmetricallyEncrypted{
			Version:            int(m.version),
			IntegrityProtected: m.kind == typeProtected,
			Contents:           io.MultiReader(bytes.NewReader(m.prefix), body),
		}
	} else {
		p, err := packet.Read(io.MultiReader(bytes.NewReader(m.header), unending{m.in}))
		if err != nil {
			return nil, inside("the encrypted data", err)
		}
		var ok bool
		if data, ok = p.(packet.EncryptedDataPacket); !ok {
			return nil, damaged("its data is no encrypted packet")
		}
	}
	r, err := data.Decrypt(key.cipher(), key.bytes())
	if err != nil {
		return nil, inside("the encrypted data", err)
	}
	return bufio.NewReaderSize(&checked{r: r}, readAhead), nil
}

// unending is for the library, which takes the end of the file for the end of
// the packet. It knows the packet's length, so it never has to see that end.
type unending struct{ r io.Reader }

func (u unending) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if errors.Is(err, io.EOF) {
		err = inside("the encrypted data", err)
	}
	return n, err
}
