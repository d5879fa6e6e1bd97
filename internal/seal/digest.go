package seal

import (
	"crypto/sha256"
	"hash"
)

// LocksDigest is the SHA-256 of every byte before the packet of the encrypted
// data, whatever packets stand there; of an armored message, of what the text
// stands for. A message opens although a lock for somebody else is damaged;
// held against DigestLocks of the writer's packets, this tells.
func (m *Message) LocksDigest() [sha256.Size]byte { return m.locksDigest }

// DigestLocks is what LocksDigest will say of a message that begins with these
// packets, as Lock.Packets makes them.
func DigestLocks(packets []byte) [sha256.Size]byte { return sha256.Sum256(packets) }

// hashed is a stream of packets whose bytes are hashed as they are read.
type hashed struct {
	in  byteStream
	sum hash.Hash
	one [1]byte
}

func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.in.Read(p)
	h.sum.Write(p[:n])
	return n, err
}

func (h *hashed) ReadByte() (byte, error) {
	c, err := h.in.ReadByte()
	if err != nil {
		return 0, err
	}
	h.one[0] = c
	h.sum.Write(h.one[:])
	return c, nil
}
