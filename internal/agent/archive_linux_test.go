package agent

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// checkArchive reads an archive that is not sealed.
func checkArchive(tb testing.TB, path string) *archive.Summary {
	tb.Helper()
	file, err := os.Open(path)
	assert.NilError(tb, err)
	defer func() { assert.Check(tb, file.Close()) }()
	summary, err := archive.Check(file, nil)
	assert.NilError(tb, err)
	assert.NilError(tb, summary.Err())
	assert.Assert(tb, summary.HeadersProven)
	return summary
}

func checksumOf(content []byte) uint32 {
	return crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli))
}

func listTar(tb testing.TB, content []byte) []string {
	tb.Helper()
	var names []string
	for reader := tar.NewReader(bytes.NewReader(content)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		assert.NilError(tb, err)
		names = append(names, header.Name)
	}
}

func TestTheArchiveIsWhatTheResultSays(t *testing.T) {
	for name, clone := range map[string]bool{"read while UCP rests": false, "read from a clone": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newMachine(t)
				m.before = func(call string) error {
					if call == "start c-kv" {
						time.Sleep(3 * time.Second)
					}
					return nil
				}
				order := m.order()
				order.Clone = clone
				talk, err := m.backUp(t, m.job(), order)
				assert.NilError(t, err)
				result := talk.last(Finished).Result
				content, err := os.ReadFile(m.archivePath())
				assert.NilError(t, err)
				assert.Equal(t, result.Size, int64(len(content)))
				assert.Equal(t, result.CRC32C, checksumOf(content))
				summary := checkArchive(t, m.archivePath())
				assert.Equal(t, result.Entries, summary.Entries)
				assert.Equal(t, summary.Manifest.Volumes[0].Bytes, int64(200_007))
				assert.Equal(t, result.Downtime, Millis(3000))
				assert.Equal(t, summary.Report.DowntimeMS, int64(result.Downtime))
				assert.Equal(t, talk.last(Resumed).Downtime, result.Downtime)
				assert.Equal(t, MillisOf(summary.Report.ResumedAt.Sub(summary.Report.QuiescedAt)), result.Downtime)
				names := listTar(t, content)
				for _, want := range []string{
					"./ucp-kv.json", "./ucp-controller.json", "./docker-ucp/configs/com.docker.ucp.config-1.json",
					"./docker-ucp/services/ucp-agent.json", "./ucp-kv/snap/db", "./ucp-node-certs/private/key",
				} {
					assert.Check(t, cmp.Contains(names, want))
				}
			})
		})
	}
}

func TestACloneIsReadWhenUCPIsBackAndThenRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		order := m.order()
		order.Clone = true
		talk := m.start(t)
		talk.on = func(event Event) {
			if event.Phase == Capturing {
				m.assertUCPRuns(t)
			}
		}
		talk.send(m.job())
		talk.send(order)
		assert.NilError(t, talk.wait())
		left, err := os.ReadDir(filepath.Dir(m.archivePath()))
		assert.NilError(t, err)
		assert.Equal(t, len(left), 2, "beside the archive and its receipt: %v", left)
	})
}

func TestAPlainCloneThatStaysBehindIsAnError(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		order := m.order()
		order.Clone = true
		talk := m.start(t)
		talk.on = func(event Event) {
			if event.Type == Resumed {
				index := filepath.Join(m.host.Spool, spoolFolder, "clones", "index")
				assert.Check(t, os.Remove(index))
				m.write(t, filepath.Join(index, "in the way"), "")
			}
		}
		talk.send(m.job())
		talk.send(order)
		assert.ErrorContains(t, talk.wait(), "directory not empty")
		talk.last(Failed)
		m.assertUCPRuns(t)
		m.assertEmptySpool(t)
	})
}

func TestASwarmWithoutQuorumIsBackedUpWithAWarning(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.before = func(call string) error {
			if call == "configs" {
				return errors.New("the swarm does not have a leader")
			}
			return nil
		}
		talk, err := m.backUp(t, m.job(), m.order())
		assert.NilError(t, err)
		assert.Equal(t, talk.last(Warning).Message,
			"the archive will lack UCP's swarm configs and services: list swarm configs: the swarm does not have a leader")
		assert.DeepEqual(t, talk.last(Finished).Result.Missing, []string{"swarm configs", "swarm services"})
		checkArchive(t, m.archivePath())
	})
}

func TestAnElectionOfALeaderIsWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		asked := 0
		m.before = func(call string) error {
			if call == "configs" {
				if asked++; asked < 3 {
					return errors.New("the swarm does not have a leader")
				}
			}
			return nil
		}
		talk, err := m.backUp(t, m.job(), m.order())
		assert.NilError(t, err)
		assert.Equal(t, len(talk.last(Finished).Result.Missing), 0)
	})
}

func TestConfigsThatCannotBeReadForAnotherReasonEndTheBackup(t *testing.T) {
	m := newMachine(t)
	m.before = func(call string) error {
		if call == "configs" {
			return errors.New("permission denied")
		}
		return nil
	}
	_, err := m.backUp(t, m.job(), m.order())
	assert.ErrorContains(t, err, "list swarm configs: permission denied")
	assert.Equal(t, len(m.moved()), 0)
	m.assertEmptySpool(t)
}

func TestGnuPGOpensTheArchiveAndNoEventTellsTheKey(t *testing.T) {
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("gpg is not installed")
	}
	const passphrase = "correct horse battery"
	for name, compress := range map[string]bool{"as it is": false, "compressed": true} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			key, err := seal.NewSessionKey()
			assert.NilError(t, err)
			order := m.order()
			order.Key, order.Compress = key.Reveal(), compress
			order.Packets, err = seal.Lock{Passphrase: []byte(passphrase)}.Packets(key)
			assert.NilError(t, err)
			talk, err := m.backUp(t, m.job(), order)
			assert.NilError(t, err)
			assertNoSecret(t, talk.log.String(), key)

			size := talk.last(Finished).Result.Size
			assert.Equal(t, size < 100_000, compress, "%d bytes", size)
			byKey := gpg(t, "", "--override-session-key", string(key.Reveal()), "--decrypt", m.archivePath())
			byPassphrase := gpg(t, passphrase, "--passphrase-fd", "0", "--decrypt", m.archivePath())
			assert.Check(t, bytes.Equal(byKey, byPassphrase))
			summary, err := archive.Check(bytes.NewReader(byKey), nil)
			assert.NilError(t, err)
			assert.NilError(t, summary.Err())
			assert.Equal(t, summary.Entries, talk.last(Finished).Result.Entries)
		})
	}
}

// assertNoSecret looks for the key in every form in which it might be written.
func assertNoSecret(tb testing.TB, text string, key seal.SessionKey) {
	tb.Helper()
	shown := key.Reveal()
	digits := shown[bytes.IndexByte(shown, ':')+1:]
	raw, err := hex.DecodeString(string(digits))
	assert.NilError(tb, err)
	for _, form := range []string{
		string(digits), strings.ToUpper(string(digits)), string(raw),
		base64.StdEncoding.EncodeToString(shown), base64.StdEncoding.EncodeToString(raw),
	} {
		assert.Check(tb, !strings.Contains(text, form), "the session key stands in the log")
	}
}

func TestAPipelineThatCannotBeginLeavesNoGoroutine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		key, err := seal.NewSessionKey()
		assert.NilError(t, err)
		file, err := os.Create(filepath.Join(t.TempDir(), "archive"))
		assert.NilError(t, err)
		_, err = newPipeline(file, filepath.Join(t.TempDir(), "missing"), &Order{Key: key.Reveal()})
		assert.ErrorIs(t, err, os.ErrNotExist)
		assert.NilError(t, file.Close())
	})
}

func TestASealedRunThatFailsLeavesNoGoroutine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.before = func(call string) error {
			if call == "stop c-kv" {
				return errors.New("it does not listen")
			}
			return nil
		}
		key, err := seal.NewSessionKey()
		assert.NilError(t, err)
		order := m.order()
		order.Key = key.Reveal()
		_, err = m.backUp(t, m.job(), order)
		assert.ErrorContains(t, err, "it does not listen")
		m.assertUCPRuns(t)
		m.assertEmptySpool(t)
	})
}

func TestAKeyThatIsNoneIsRefusedBeforeAnythingStops(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		order := m.order()
		order.Key = []byte("9:00112233445566778899")
		talk, err := m.backUp(t, m.job(), order)
		assert.Error(t, err, "session key: cipher 9 takes 32 bytes, not 10")
		assert.Equal(t, len(m.moved()), 0)
		assert.Check(t, !strings.Contains(talk.log.String(), "0011223344"))
		m.assertEmptySpool(t)
	})
}

func gpg(tb testing.TB, stdin string, args ...string) []byte {
	tb.Helper()
	home, err := os.MkdirTemp("", "g") //nolint:usetesting // short: the path of a socket goes in it
	assert.NilError(tb, err)
	defer func() {
		kill := exec.CommandContext(context.WithoutCancel(tb.Context()), "gpgconf", "--homedir", home, "--kill", "gpg-agent")
		assert.Check(tb, kill.Run())
		assert.Check(tb, os.RemoveAll(home))
	}()
	args = append([]string{"--homedir", home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback"}, args...)
	cmd := exec.CommandContext(tb.Context(), "gpg", args...)
	var talk bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(stdin), &talk
	out, err := cmd.Output()
	assert.NilError(tb, err, talk.String())
	return out
}
