package seal

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

const (
	armorTail    = "-----END PGP MESSAGE-----"
	maxArmorHead = 256 << 10
	minimumArmor = 128       // what is kept of the end of the file
	space        = " \t\r\n" // may stand around the armor
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
	read int64
	last []byte
}

func (t *tailKeeper) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.read += int64(n)
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
	at := a.tail.read - int64(a.text.Buffered())
	rest, err := io.ReadAll(io.LimitReader(a.text, 2*minimumArmor))
	if err != nil {
		return err
	}
	follows := bytes.TrimLeft(rest, space)
	if line, found := bytes.CutPrefix(follows, []byte(armorTail)); found { // and else the library has read it
		follows = bytes.TrimLeft(line, space)
	}
	if len(follows) > 0 && !bytes.HasPrefix([]byte(armorTail), bytes.TrimRight(follows, space)) {
		return trailing(follows, at+int64(len(rest)-len(follows)))
	}
	if !bytes.HasSuffix(bytes.TrimSpace(a.tail.last), []byte(armorTail)) {
		return inside("its armor", io.ErrUnexpectedEOF)
	}
	return nil
}
