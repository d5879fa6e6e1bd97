package seal

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func TestSecretsNeverShowInWhatIsPrinted(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	lock := Lock{Passphrase: []byte(passphrase)}
	keys := Keys{Passphrase: []byte(passphrase), SessionKey: key}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("test", "key", key, "lock", lock, "keys", keys)
	encoded, err := json.Marshal(map[string]any{"key": key})
	assert.NilError(t, err)
	printed := []string{log.String(), string(encoded)}
	type around struct{ inner SessionKey }
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		printed = append(printed, fmt.Sprintf(verb, key), fmt.Sprintf(verb, &key), fmt.Sprintf(verb, around{key}),
			fmt.Sprintf(verb, lock), fmt.Sprintf(verb, keys), fmt.Sprintf(verb, []SessionKey{key}))
	}
	secrets := []string{
		hex.EncodeToString(key.bytes()), string(key.bytes()), passphrase, hex.EncodeToString([]byte(passphrase)),
		strings.Trim(fmt.Sprintf("%d", key.bytes()[:8]), "[]"), strings.Trim(fmt.Sprintf("%d", []byte(passphrase)[:8]), "[]"),
		strings.Trim(fmt.Sprintf("%#v", key.bytes()[:4]), "[]byte{}"),
	}
	for _, text := range printed {
		for _, secret := range secrets {
			assert.Assert(t, !strings.Contains(strings.ToLower(text), strings.ToLower(secret)), "%q shows in %q", secret, text)
		}
	}
}

func TestParseSessionKeyReadsWhatRevealSays(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	again, err := ParseSessionKey(append(key.Reveal(), '\n'))
	assert.NilError(t, err)
	assert.Assert(t, again.Equal(key))
	assert.Equal(t, strings.ToUpper(string(again.Reveal())), strings.ToUpper(string(key.Reveal())))
	other, err := NewSessionKey()
	assert.NilError(t, err)
	assert.Assert(t, !again.Equal(other))
}

func TestParseSessionKeyRefusesWithoutQuoting(t *testing.T) {
	digits := strings.Repeat("ab", 32)
	for _, text := range []string{"", ":", "9", "9:", digits, "9:" + digits[2:], "9:" + digits + "ab", "9:" + digits[1:] + "g", "10:" + digits, "300:" + digits, "-9:" + digits} {
		_, err := ParseSessionKey([]byte(text))
		assert.ErrorContains(t, err, "session key", "%q", text)
		assert.Assert(t, !strings.Contains(err.Error(), "abab"), "the key shows in %q", err)
	}
	var key SessionKey
	assert.ErrorContains(t, json.Unmarshal([]byte(`"9:`+digits+`"`), &key), "not read from here")
}

func TestWipedKeyIsGoneInEveryCopy(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	duplicate, memory := key, key.bytes()
	key.Wipe()
	assert.Assert(t, duplicate.IsZero())
	assert.Equal(t, string(memory), strings.Repeat("\x00", 32))
	assert.Equal(t, len(duplicate.Reveal()), 0)
	_, err = NewWriter(nil, nil, duplicate, Options{})
	assert.ErrorContains(t, err, "no session key")
	SessionKey{}.Wipe()
}
