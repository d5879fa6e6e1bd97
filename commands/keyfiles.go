package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

const (
	showSessionKey = "write the file with: gpg --show-session-key --decrypt ARCHIVE 2> FILE > " + os.DevNull
	exportIdentity = "write the file with: gpg --export-secret-keys NAME > FILE"
)

// whatOpens tells for whom a message is locked, and the flag for each.
func whatOpens(m *seal.Message) string {
	var hints []string
	if m.ForPassphrase() {
		hints = append(hints, "it opens with a passphrase: --passphrase-file FILE, or "+passphraseVariable)
	}
	if ids := m.ForKeys(); len(ids) > 0 {
		hints = append(hints, "it opens with "+privateKeys(ids)+": --identity FILE; or, for a key on a card, --session-key-file FILE")
	}
	if len(hints) == 0 {
		hints = append(hints, "it opens with its session key: --session-key-file FILE")
	}
	return strings.Join(hints, "\n")
}

func privateKeys(ids []uint64) string {
	var names []string
	for _, id := range ids {
		name := fmt.Sprintf("private key %016X", id)
		if id == 0 {
			name = "private key whose name it hides"
		}
		names = append(names, "the "+name)
	}
	return strings.Join(names, " or ")
}

// readSessionKey finds the key in what gpg --show-session-key prints, in whatever language, in a line of its status
// output, or alone.
func readSessionKey(path string) (key seal.SessionKey, err error) {
	content, err := readBeginning(path, longestPassphrase)
	if err != nil {
		return key, failure.Refuse(fmt.Errorf("read the session key: %w", err), "name a file that you can read: --session-key-file FILE")
	}
	defer clear(content)
	// A cipher's number and at least 64 bits; neither a time nor a fingerprint looks so.
	found := regexp.MustCompile(`\b[0-9]{1,3}:[0-9A-Fa-f]{16,}\b`).FindAll(content, -1)
	if len(found) == 0 {
		return key, failure.Refuse(fmt.Errorf("read the session key: %s holds none", path), showSessionKey)
	}
	for _, other := range found[1:] {
		if !bytes.EqualFold(other, found[0]) {
			return key, failure.Refuse(fmt.Errorf("read the session key: %s holds several, which differ", path), showSessionKey)
		}
	}
	if key, err = seal.ParseSessionKey(found[0]); err != nil {
		return key, failure.Refuse(fmt.Errorf("read the session key from %s: %w", path, err), showSessionKey)
	}
	return key, nil
}

// longestIdentity is far beyond the keys that people have, and bounds what is read of a file that is another than was
// meant.
const longestIdentity = 16 << 20

// readIdentities reads a file of private keys. Where one has a passphrase of its own, the one that was given is tried,
// and then somebody is asked, if there is a terminal.
func (u *unlocker) readIdentities(ctx context.Context, path string, passphrase []byte) (openpgp.EntityList, error) {
	content, err := readBeginning(path, longestIdentity)
	if err != nil {
		return nil, failure.Refuse(fmt.Errorf("read the private key: %w", err), exportIdentity)
	}
	defer clear(content)
	var ask func(key string) ([]byte, error)
	if u.opts.phrase.given() {
		ask = func(string) ([]byte, error) { return bytes.Clone(passphrase), nil }
	}
	identities, err := seal.ReadIdentities(bytes.NewReader(content), path, ask)
	for attempt := 1; attempt <= promptTries && errors.Is(err, seal.ErrPassphrase); attempt++ {
		wrong, asking := err, error(nil)
		identities, err = seal.ReadIdentities(bytes.NewReader(content), path, func(key string) (typed []byte, _ error) {
			typed, asking = u.ask(ctx, attempt, "Passphrase for the private key "+harmless(key)+": ")
			return typed, asking
		})
		if errors.Is(asking, errNoTerminal) {
			err = wrong
			break
		}
		if asking != nil {
			return nil, asking
		}
	}
	switch {
	case err == nil:
		return identities, nil
	case errors.Is(err, seal.ErrPassphrase):
		return nil, failure.Lock(err, "a private key's own passphrase is typed on a terminal, or given with: --passphrase-file FILE")
	}
	return nil, failure.Refuse(err, exportIdentity)
}
