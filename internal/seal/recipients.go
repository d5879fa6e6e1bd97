package seal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// maxKeyFile bounds what is read as a file of keys; a key with thousands of
// signatures is still far below.
const maxKeyFile = 16 << 20

// ReadRecipients reads a file of public keys, armored (any number of blocks)
// or binary. All of them must be able to encrypt now: a recipient left out in
// silence would learn of it on the day of the restore. A private key is refused,
// since the machine that writes backups should not be able to read them.
func ReadRecipients(r io.Reader, name string) (openpgp.EntityList, error) {
	keys, err := readKeys(r, name)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	for _, key := range keys {
		if key.PrivateKey != nil {
			return nil, fmt.Errorf("%s holds a private key, %s, which a machine that writes backups should not have\n"+
				"export its public part: gpg --export %X", name, describe(key), key.PrimaryKey.Fingerprint)
		}
		if _, ok := key.EncryptionKey(now); !ok {
			return nil, fmt.Errorf("%s: %s: %s", name, describe(key), obstacle(key, now))
		}
	}
	return keys, nil
}

// readKeys reads every key of a file, or says which one it cannot read.
func readKeys(r io.Reader, name string) (openpgp.EntityList, error) {
	limited := &io.LimitedReader{R: r, N: maxKeyFile + 1}
	in := bufio.NewReader(limited)
	head, err := in.Peek(1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	read := readArmoredKeys
	if len(head) == 1 && head[0]&0x80 != 0 {
		read = func(in *bufio.Reader) (openpgp.EntityList, error) { return readKeyPackets(in) }
	}
	keys, err := read(in)
	switch {
	case limited.N == 0:
		return nil, fmt.Errorf("%s is larger than %d MiB: no file of OpenPGP keys", name, maxKeyFile>>20)
	case err != nil:
		return nil, fmt.Errorf("read OpenPGP keys from %s: %w", name, err)
	case len(keys) == 0:
		return nil, fmt.Errorf("%s holds no OpenPGP key", name)
	}
	return keys, nil
}

// readArmoredKeys goes on after the first block, which the library's own
// function does not. The bufio.Reader is what armor.Decode would make itself,
// so it is left just behind the block.
func readArmoredKeys(in *bufio.Reader) (openpgp.EntityList, error) {
	var keys openpgp.EntityList
	for {
		block, err := armor.Decode(in)
		if errors.Is(err, io.EOF) {
			return keys, nil
		}
		if err != nil {
			return nil, err
		}
		if block.Type != openpgp.PublicKeyType && block.Type != openpgp.PrivateKeyType {
			return nil, fmt.Errorf("it holds a %q, no keys", block.Type)
		}
		more, err := readKeyPackets(block.Body)
		if err != nil {
			return nil, err
		}
		keys = append(keys, more...)
	}
}

func readKeyPackets(r io.Reader) (openpgp.EntityList, error) {
	var keys openpgp.EntityList
	packets := packet.NewReader(r)
	for {
		key, err := openpgp.ReadEntity(packets)
		if errors.Is(err, io.EOF) {
			return keys, nil
		}
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", len(keys)+1, err)
		}
		keys = append(keys, key)
	}
}

// describe names a key as an operator knows it; a name can hold anything, and
// is quoted.
func describe(e *openpgp.Entity) string {
	if id := e.PrimaryIdentity(); id != nil {
		return fmt.Sprintf("%q (%X)", id.Name, e.PrimaryKey.Fingerprint)
	}
	return fmt.Sprintf("%X", e.PrimaryKey.Fingerprint)
}

// obstacle says why a key has no part that can encrypt now.
func obstacle(e *openpgp.Entity, now time.Time) string {
	sig, id := e.PrimarySelfSignature()
	switch {
	case e.Revoked(now), id != nil && id.Revoked(now):
		return "the key is revoked"
	case sig == nil:
		return "the key carries no valid signature of its own"
	case e.PrimaryKey.KeyExpired(sig, now), sig.SigExpired(now):
		return "the key has expired or is not valid yet"
	}
	for _, sub := range e.Subkeys {
		if !sub.Sig.FlagsValid || !sub.Sig.FlagEncryptCommunications {
			continue
		}
		switch {
		case sub.Revoked(now):
			return "its subkey for encryption is revoked"
		case sub.PublicKey.KeyExpired(sub.Sig, now), sub.Sig.SigExpired(now):
			return "its subkey for encryption has expired or is not valid yet"
		}
	}
	return "the key can sign, and cannot encrypt"
}
