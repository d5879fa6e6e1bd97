package seal

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

const (
	armorTail     = "-----END PGP MESSAGE-----"
	maxArmorHead  = 256 << 10
	minimumArmor  = 128 // what is kept of the end of the file
	checksumStart = '='
)

// armored watches the text around an armored message. The library stops at the
// checksum or at the last line, and takes the end of the file for either.
type armored struct {
	text *bufio.Reader
	tail tailKeeper
}

// tailKeeper passes a stream through and remembers its last bytes.
type tailKeeper struct {
	r    io.Reader
	last []byte
}

func (t *tailKeeper) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.last = append(t.last, p[max(0, n-minimumArmor):n]...)
	if extra := len(t.last) - minimumArmor; extra > 0 {
		t.last = append(t.last[:0], t.last[extra:]...)
	}
	return n, err
}

// dearmor finds out what the message is written in.
func (m *Message) dearmor() error {
	m.in = bufio.NewReaderSize(m.src, readAhead)
	prefix, err := m.in.Peek(DetectSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch Detect(prefix) {
	case Binary:
		return nil
	case Armored:
	default:
		if len(prefix) == 0 {
			return inside("nothing: the file is empty", io.EOF)
		}
		return unsupported("not an encrypted OpenPGP message")
	}
	a := &armored{tail: tailKeeper{r: m.in}}
	a.text = bufio.NewReader(&a.tail)
	m.src.limit = maxArmorHead
	block, err := armor.Decode(a.text)
	m.src.limit = 0
	if err != nil {
		return inside("its armor", err)
	}
	m.armor, m.in = a, bufio.NewReaderSize(block.Body, readAhead)
	return nil
}

// end makes sure that the armor has its last line, and nothing behind it.
func (a *armored) end() error {
	rest, err := io.ReadAll(io.LimitReader(a.text, 2*minimumArmor))
	if err != nil {
		return err
	}
	if !bytes.Equal(bytes.TrimSpace(rest), []byte(armorTail)) && len(bytes.TrimSpace(rest)) > 0 {
		return &failure{kind: ErrTrailing, text: "behind the armored message stands more text"}
	}
	if !bytes.HasSuffix(bytes.TrimSpace(a.tail.last), []byte(armorTail)) {
		return inside("its armor", io.ErrUnexpectedEOF)
	}
	return nil
}
