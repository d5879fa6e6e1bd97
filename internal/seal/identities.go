package seal

import (
	"fmt"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp"
)

// ReadIdentities reads a file of private keys, armored or binary, as
// `gpg --export-secret-keys` writes it. Those that have a passphrase of their own
// are unlocked with what ask gives for the key it is told; nil asks for none.
func ReadIdentities(r io.Reader, name string, ask func(key string) ([]byte, error)) (openpgp.EntityList, error) {
	keys, err := readKeys(r, name)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if key.PrivateKey == nil {
			return nil, fmt.Errorf("%s holds the public part alone of %s", name, describe(key))
		}
		if locked, usable := privateState(key); !usable {
			return nil, fmt.Errorf("%s: no private part of %s that can decrypt is in the file; if it is on a card, "+
				"let gpg --show-session-key print the session key", name, describe(key))
		} else if !locked {
			continue
		}
		if err := unlockIdentity(key, ask); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return keys, nil
}

// privateState looks at the parts of a key that are there in earnest: one kept
// elsewhere leaves an empty shell.
func privateState(key *openpgp.Entity) (locked, usable bool) {
	parts := []openpgp.Subkey{{PublicKey: key.PrimaryKey, PrivateKey: key.PrivateKey}}
	for _, part := range append(parts, key.Subkeys...) {
		if private := part.PrivateKey; private != nil && !private.Dummy() && part.PublicKey.PubKeyAlgo.CanEncrypt() {
			usable, locked = true, locked || private.Encrypted
		}
	}
	return locked, usable
}

func unlockIdentity(key *openpgp.Entity, ask func(string) ([]byte, error)) error {
	if ask == nil {
		return noKey("the private key %s has a passphrase of its own, and none was given", describe(key))
	}
	passphrase, err := ask(describe(key))
	if err != nil {
		return fmt.Errorf("ask for the passphrase of %s: %w", describe(key), err)
	}
	defer clear(passphrase)
	if err := key.DecryptPrivateKeys(passphrase); err != nil {
		return noKey("wrong passphrase for the private key %s", describe(key))
	}
	return nil
}
