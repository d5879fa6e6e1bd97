//go:build unix

package commands

import (
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/progress"
	"github.com/docker-ucp/docker-ucp/internal/seal"
	"github.com/docker-ucp/docker-ucp/internal/verify"
)

// A bar that is drawn meanwhile would cover the question.
func TestNothingIsDrawnOverTheQuestion(t *testing.T) {
	file := inFolder(t, emptyBackup(t, &seal.Lock{Passphrase: []byte(short)}))
	terminal := newTerminal(t)
	before := terminal.settings(t)
	talk := progress.New(progress.Auto, terminal.tty, true)
	defer talk.Close()
	done := make(chan error, 1)
	go func() {
		_, err := verify.Run(t.Context(), talk, verify.Options{Path: file, Now: time.Now(), Keys: unlockerOf(&unlockOptions{}, terminal, file).keys})
		done <- err
	}()
	terminal.await(t, "Passphrase for ", 1)
	terminal.awaitChange(t, before)
	time.Sleep(500 * time.Millisecond) // a bar would be drawn again
	shown := terminal.shown()
	terminal.press(t, short+"\n")
	assert.ErrorContains(t, <-done, file)
	assert.Check(t, strings.HasPrefix(shown, "Passphrase for ") && !strings.Contains(shown, "\r"), "%q", shown)
}
