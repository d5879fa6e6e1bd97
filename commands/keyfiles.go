package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

const (
	showSessionKey = "write the file with: gpg --show-session-key --decrypt ARCHIVE 2> FILE > " + os.DevNull
	exportIdentity = "write the file with: gpg --export-secret-keys NAME > FILE"
	ownPassphrase  = "give the private key's own passphrase with: --passphrase-file FILE"
)

// namedKeys is how many keys of an archive a hint names; who has one of more will know.
const namedKeys = 8

// whatOpens tells what to type for an archive. Of what has been tried it says where it came from, and recommends
// something else; typed says that passphrases were typed.
func (u *unlocker) whatOpens(m *seal.Message, typed bool) string {
	if u.opts.sessionKey != "" {
		return "the session key came from " + shown(u.opts.sessionKey) + "; " + showSessionKey
	}
	var hints []string
	switch {
	case !m.ForPassphrase():
	case typed:
		hints = append(hints, "check the passphrase with: gpg --decrypt "+u.word()+" > "+os.DevNull)
	case u.opts.phrase.given():
		hints = append(hints, u.opts.phrase.whence())
	default:
		hints = append(hints, "it opens with a passphrase: --passphrase-file FILE, or "+passphraseVariable)
	}
	if ids := m.ForKeys(); len(ids) > 0 {
		hints = append(hints,
			"it opens with a private key: gpg --export-secret-keys "+names(ids)+" > FILE; then: --identity FILE",
			"or with one on a card: gpg --show-session-key --decrypt "+u.word()+" 2> FILE > "+os.DevNull+"; then: --session-key-file FILE")
	}
	if len(hints) == 0 {
		hints = append(hints, "it opens with its session key: --session-key-file FILE")
	}
	return strings.Join(hints, "\n")
}

// word is the archive in a command that somebody may type.
func (u *unlocker) word() string {
	if u.piped || shown(u.archive) != u.archive {
		return "ARCHIVE"
	}
	return failure.Quote(u.archive)
}

// names are those of keys as gpg takes them; an archive may hide them.
func names(ids []uint64) string {
	var names []string
	for _, id := range ids[:min(len(ids), namedKeys)] {
		name := fmt.Sprintf("%016X", id)
		if id == 0 {
			name = "NAME"
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// readSessionKey finds the key in what gpg --show-session-key prints, in whatever language, in a line of its status
// output, or alone.
func readSessionKey(path string) (key seal.SessionKey, err error) {
	content, err := readBeginning(path, longestPassphrase)
	if err != nil {
		return key, failure.Refuse(fmt.Errorf("read the session key: %w", err), readableFile("session-key-file", path))
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
		hint := exportIdentity
		if path == "-" {
			hint = readableFile("identity", path)
		}
		return nil, failure.Refuse(fmt.Errorf("read the private key: %w", err), hint)
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
		if errors.Is(asking, errNothingTyped) {
			return nil, failure.Lock(asking, ownPassphrase)
		}
		if asking != nil {
			return nil, asking
		}
	}
	switch {
	case err == nil:
		return identities, nil
	case errors.Is(err, seal.ErrPassphrase):
		return nil, failure.Lock(err, u.ownPassphrase())
	}
	return nil, failure.Refuse(noKeys(err, path), exportIdentity)
}

// ownPassphrase says what to do about a private key that stays shut.
func (u *unlocker) ownPassphrase() string {
	if u.opts.phrase.given() {
		return u.opts.phrase.whence()
	}
	return ownPassphrase
}

// noKeys says in our own words that a file is none of keys, where the library has only its own.
func noKeys(err error, path string) error {
	var structural pgperrors.StructuralError
	if errors.As(err, &structural) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s holds no OpenPGP key, or is damaged", path)
	}
	return err
}
