package seal

import (
	"errors"
	"fmt"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Reader gives the data of a message. What it gives may be wrong until it has
// said io.EOF: the proof stands at the end.
type Reader struct {
	msg  *Message
	data *contents
	stop func() error
	err  error
}

// Open reads the head of a message, unlocks its session key and gives its data.
func Open(r io.Reader, keys Keys) (*Reader, error) {
	m, err := ReadHead(r)
	if err != nil {
		return nil, err
	}
	key, err := m.Unlock(keys)
	if err != nil {
		return nil, err
	}
	return m.Open(key)
}

// Open gives the data of the message. It is called once, with the session key
// that Unlock found.
func (m *Message) Open(key SessionKey) (*Reader, error) {
	if m.kind == typeUnprotected {
		return nil, unsupported("the message has no modification detection, so nobody can say whether it is whole\n" +
			"if you trust where it comes from: gpg --decrypt --ignore-mdc-error")
	}
	return m.open(key)
}

// Protected says whether the message can prove at its end that it is whole.
func (m *Message) Protected() bool { return m.kind != typeUnprotected }

// OpenUnprotected is Open for messages that carry no modification detection as
// well, as GnuPG 1 wrote them: of these nothing is proven but that the packets
// are well formed.
func (m *Message) OpenUnprotected(key SessionKey) (*Reader, error) { return m.open(key) }

func (m *Message) open(key SessionKey) (*Reader, error) {
	if key.IsZero() {
		return nil, noKey("open the message: no session key")
	}
	if m.body == nil {
		return nil, unsupported("open the message: its data is being read already")
	}
	body := endOfData{m.body}
	m.body, m.opened = nil, key.cipher()
	rd := &Reader{msg: m, stop: func() error { return nil }}
	var plain byteStream
	var err error
	if m.kind == typeProtected && m.cipher == 0 && key.cipher() >= packet.CipherAES128 {
		var d *decrypter
		d, err = newDecrypter(m.prefix, body, key)
		if err == nil {
			plain, rd.stop = d, d.Close
		}
	} else {
		plain, err = m.openByLibrary(body, key)
	}
	if err != nil {
		return nil, err
	}
	if rd.data, err = openContents(plain); err != nil {
		return nil, errors.Join(m.atTheStart(err), rd.stop())
	}
	return rd, nil
}

// atTheStart thinks again about an error in the first bytes: a key that only
// its random prefix speaks for may be the wrong one. Where the data has ended
// already, its proof has been found right.
func (m *Message) atTheStart(err error) error {
	if final := new(failure); errors.As(err, &final) || m.proven || errors.Is(err, io.ErrUnexpectedEOF) {
		return inside("its first bytes", err)
	}
	return noKey("wrong passphrase or session key, or the message is damaged at its first bytes (%v)", err)
}

// Read gives io.EOF after everything was found right: the modification
// detection code or the tags of AEAD, the packets, and nothing behind them.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.data.Read(p)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		r.err = r.msg.end()
	default:
		r.err = inside("the data", err)
	}
	if r.err == nil {
		r.err = io.EOF
	}
	return n, r.err
}

// Close ends the goroutines, at any point. It says nothing about the message:
// only io.EOF from Read does.
func (r *Reader) Close() error {
	if r.err == nil {
		r.err = errClosed
	}
	return r.stop()
}

// end makes sure that nothing follows the message.
func (m *Message) end() error {
	next, err := m.in.Peek(DetectSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case len(next) == 0 && m.armor != nil:
		return m.armor.end()
	case len(next) == 0:
		return nil
	case m.armor != nil:
		return trailing(next, 0)
	}
	return trailing(next, m.src.read-int64(m.in.Buffered()))
}

// trailing names what stands behind the end, of which it sees the beginning.
// Offset zero is for a place inside the armor, which in the file is no byte.
func trailing(next []byte, offset int64) error {
	text := "behind the message, which is right, stands other data"
	if Detect(next) != NotSealed {
		text = "behind the message, which is right, stands a second sealed message (UCP 3.2.0 to 3.2.3 appended to a file that was there)"
	}
	if offset > 0 {
		text += fmt.Sprintf(", from byte %d", offset)
	}
	return &failure{kind: ErrTrailing, text: text, at: offset}
}

// endOfData is the body of the encrypted packet. Its errors are final, so that
// the end of the packet is the only io.EOF.
type endOfData struct{ body *packetBody }

func (e endOfData) Read(p []byte) (int, error) {
	n, err := e.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = inside("the encrypted data", err)
	}
	return n, err
}
