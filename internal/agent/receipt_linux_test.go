package agent

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

func TestTheReceiptSaysWhatWasMade(t *testing.T) {
	const output = "/home/operator/ucp.tar"
	key := newKey(t).Reveal()
	tests := map[string]func(job *Job, order *Order){
		"plain":       func(*Job, *Order) {},
		"cloned":      func(_ *Job, order *Order) { order.Clone = true },
		"sealed":      func(_ *Job, order *Order) { order.Key = key },
		"in its file": func(job *Job, order *Order) { job.Nonce, order.Direct, order.Output = testNonce, true, output },
		"not in the file that was offered": func(job *Job, order *Order) {
			job.Nonce, order.Output = testNonce, output
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newMachine(t)
				m.write(t, m.output, testNonce)
				job, order := m.job(), m.order()
				change(&job, order)
				order.Manifest.Volumes[0].Options = map[string]string{"o": "username=ucp,password=secret"}
				talk, err := m.backUp(t, job, order)
				assert.NilError(t, err)
				var receipt Receipt
				m.readPaper(t, ReceiptInSpool, &receipt)
				assert.DeepEqual(t, receipt.Result, *talk.last(Finished).Result)
				assert.Equal(t, receipt.Sealed, len(order.Key) > 0)
				assert.Equal(t, receipt.Cloned, order.Clone)
				if order.Direct {
					assert.Equal(t, receipt.Output, output)
					m.assertLeft(t, "receipt")
					assertManifest(t, receipt.Manifest, order.Manifest, checkArchive(t, m.output).Manifest)
					return
				}
				assert.Equal(t, receipt.Output, "")
				m.assertLeft(t, "archive", "receipt")
				if !receipt.Sealed {
					assertManifest(t, receipt.Manifest, order.Manifest, checkArchive(t, m.archivePath()).Manifest)
				}
			})
		})
	}
}

// assertManifest holds that of a receipt against the order's, with the sizes in the archive.
func assertManifest(tb testing.TB, got, ordered, archived *archive.Manifest) {
	tb.Helper()
	assert.Equal(tb, archived.Volumes[0].Options["o"], "username=ucp,password=secret")
	for i := range ordered.Volumes {
		volume := &ordered.Volumes[i]
		volume.Options, volume.Entries, volume.Bytes = nil, archived.Volumes[i].Entries, archived.Volumes[i].Bytes
	}
	assert.DeepEqual(tb, got, ordered)
}

func TestTheSurveySaysWhichArchiveWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		survey := func() (*Survey, []EventType) {
			talk := m.start(t)
			talk.send(m.job())
			assert.NilError(t, talk.wait())
			return talk.last(Surveyed).Survey, talk.types()
		}
		none, _ := survey()
		assert.Check(t, none.Waits == nil)

		_, err := m.backUp(t, m.job(), m.order())
		assert.NilError(t, err)
		var receipt Receipt
		m.readPaper(t, ReceiptInSpool, &receipt)
		waiting, _ := survey()
		assert.DeepEqual(t, waiting.Waits, &receipt)

		for _, content := range []string{"", "{}", "\x00\x00"} {
			m.write(t, filepath.Join(m.host.Spool, ReceiptInSpool), content)
			damaged, said := survey()
			assert.Check(t, damaged.Waits == nil, content)
			assert.DeepEqual(t, said, []EventType{Warning, Surveyed})
		}
	})
}

func newKey(tb testing.TB) seal.SessionKey {
	tb.Helper()
	key, err := seal.NewSessionKey()
	assert.NilError(tb, err)
	return key
}

func TestAnArchiveWithoutAReceiptIsFinishedAllTheSame(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		talk := m.start(t)
		talk.on = func(event Event) {
			if event.Type == Resumed {
				assert.Check(t, os.Mkdir(filepath.Join(m.host.Spool, ReceiptInSpool+".new"), 0o700))
			}
		}
		talk.send(m.job())
		talk.send(m.order())
		assert.NilError(t, talk.wait())
		talk.last(Finished)
		assert.Check(t, cmp.Contains(talk.last(Warning).Message, "the archive could not be fetched later: write the receipt into the spool"))
		checkArchive(t, m.archivePath())
	})
}

func TestNoFileInTheSpoolTellsTheKey(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		key := newKey(t)
		order := m.order()
		order.Clone, order.Key = true, key.Reveal()
		seen := map[string]bool{}
		look := func() {
			assert.Check(t, fs.WalkDir(os.DirFS(m.host.Spool), ".", func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				content, err := fs.ReadFile(os.DirFS(m.host.Spool), path)
				assertNoSecret(t, string(content), key)
				seen[path] = true
				return err
			}))
		}
		m.before = func(string) error { look(); return nil }
		talk := m.start(t)
		talk.on = func(Event) { look() }
		talk.send(m.job())
		talk.send(order)
		assert.NilError(t, talk.wait())
		look()
		for _, path := range []string{JournalInSpool, ReceiptInSpool, ArchiveInSpool} {
			assert.Check(t, seen[path], path)
		}
	})
}
