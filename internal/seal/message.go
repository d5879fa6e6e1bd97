package seal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

const (
	maxLocks    = 1024    // session-key packets of one message
	maxLockSize = 8 << 10 // bytes of one; the largest known, ML-KEM-1024, has 1.7 KiB
	readAhead   = 64 << 10
)

// Message is a sealed message of which the head is read: who may open it, and
// no data yet.
type Message struct {
	src    *source
	armor  *armored // nil when binary
	in     *bufio.Reader
	keyed  []*packet.EncryptedKey
	phrase []*packet.SymmetricKeyEncrypted
	unread []string // why session-key packets could not be used

	stretch int64 // bytes to go over for all of phrase
	argon2  bool  // among phrase

	kind    byte // of the encrypted packet
	version byte
	cipher  packet.CipherFunction // as an AEAD packet says it, else zero
	header  []byte                // of the encrypted packet, as it stood
	body    *packetBody
	prefix  []byte                // the first bytes of the body, where they are random and checked
	proven  bool                  // the key came with a proof of its own
	opened  packet.CipherFunction // of the key that it was opened with, else zero

	locksDigest [sha256.Size]byte
}

// ReadHead reads a message, binary or armored, up to its encrypted data. It
// reads ahead in r, which belongs to the message from then on.
func ReadHead(r io.Reader) (*Message, error) {
	m := &Message{src: &source{r: r}}
	if err := m.dearmor(); err != nil {
		return nil, err
	}
	locks := &hashed{in: m.in, sum: sha256.New()}
	for n := 0; ; n++ {
		locks.sum.Sum(m.locksDigest[:0]) // should this packet be the one with the data
		kind, b, raw, err := nextPacket(locks)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // a head alone is half a message
		}
		if err != nil {
			return nil, inside("its head", err)
		}
		if n > maxLocks {
			return nil, damaged("more than %d packets before the data", maxLocks)
		}
		switch kind {
		case typePublicKeyed, typePassphrased:
			err = m.addLock(kind, b)
		case typeProtected, typeUnprotected, typeAEAD:
			m.kind, m.header, m.body = kind, raw, b
			b.in = m.in
			return m, m.begin()
		case typeLiteral, typeCompressed, typeOnePass, typeSignature:
			return nil, unsupported("an OpenPGP message, but not an encrypted one")
		default:
			err = skip(kind, b)
		}
		if err != nil {
			return nil, inside("its head", err)
		}
	}
}

// skippable is what RFC 9580, 4.3 allows to pass over.
func skippable(kind byte) bool {
	return kind == typeMarker || kind == typePadding || kind >= firstUncriticalID
}

// skip passes over a packet in the head. It is not more than is read.
func skip(kind byte, b *packetBody) error {
	if !skippable(kind) {
		return fmt.Errorf("packet of type %d", kind)
	}
	_, err := io.Copy(io.Discard, b)
	return err
}

// addLock lets the library read a session-key packet. One that it cannot read
// may be one of several, so it is only noted.
func (m *Message) addLock(kind byte, b *packetBody) error {
	content, err := io.ReadAll(io.LimitReader(b, maxLockSize+1))
	if err != nil {
		return noEOF(err)
	}
	if len(content) > maxLockSize {
		return fmt.Errorf("session-key packet of more than %d KiB", maxLockSize>>10)
	}
	if err := m.checkLock(kind, content); err != nil {
		m.unread = append(m.unread, err.Error())
		return nil
	}
	header := binary.BigEndian.AppendUint32([]byte{0xC0 | kind, 0xFF}, uint32(len(content))) //nolint:gosec // at most maxLockSize
	p, err := packet.Read(bytes.NewReader(append(header, content...)))
	switch p := p.(type) {
	case *packet.EncryptedKey:
		if err == nil {
			m.keyed = append(m.keyed, p)
		}
	case *packet.SymmetricKeyEncrypted:
		if err == nil {
			m.phrase = append(m.phrase, p)
		}
	}
	if err != nil {
		m.unread = append(m.unread, err.Error())
	}
	return nil
}

// begin reads what the encrypted packet says about itself.
func (m *Message) begin() error {
	if m.kind == typeUnprotected {
		return m.readPrefix()
	}
	head, err := m.in.Peek(2)
	if err != nil {
		return inside("the encrypted data", err)
	}
	m.version, m.cipher = head[0], 0
	switch {
	case m.kind == typeProtected && m.version == 1:
		if _, err := m.body.ReadByte(); err != nil {
			return inside("the encrypted data", err)
		}
		return m.readPrefix()
	case m.kind == typeProtected && m.version == 2, m.kind == typeAEAD && m.version == 1:
		m.cipher = packet.CipherFunction(head[1])
		return nil
	}
	return unsupported("the encrypted data is of version %d, which is not known", m.version)
}

// readPrefix takes as much as the longest prefix has; a cipher with small
// blocks has a shorter one, and data in what is left of this.
func (m *Message) readPrefix() error {
	m.prefix = make([]byte, prefixSize)
	if _, err := io.ReadFull(m.body, m.prefix); err != nil {
		return inside("the encrypted data", err)
	}
	return nil
}

// ForPassphrase says that a passphrase can open the message.
func (m *Message) ForPassphrase() bool { return len(m.phrase) > 0 }

// ForKeys gives the IDs of the keys that can open the message; zero stands for
// one that is not named.
func (m *Message) ForKeys() []uint64 {
	var ids []uint64
	for _, p := range m.keyed {
		ids = append(ids, p.KeyId)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
