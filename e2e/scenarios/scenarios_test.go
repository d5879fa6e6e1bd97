package scenarios

import (
	"testing"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
	"github.com/docker-ucp/docker-ucp/e2e/standin"
)

// scenario is one intent, played on a stage that it leaves as it found it.
type scenario struct {
	promise string
	play    func(t *testing.T, s *stage)
}

// tappedScenario is one that looks into a backup under way.
type tappedScenario struct {
	promise string
	play    func(t *testing.T, s *tapped)
}

func scenarios() []scenario {
	return []scenario{
		{"a backup holds every volume, and UCP runs again", backupIsWhole},
		{"a backup that a user types belongs to that user", backupBelongsToItsUser},
		{"a backup goes to standard output", backupToStdout},
		{"a backup travels through a TLS context", backupThroughTLS},
		{"a backup travels through ssh", backupThroughSSH},
		{"where the manager does not see the folder, the archive is fetched", backupIntoHiddenFolder},
		{"a slow wire does not keep UCP down", backupOverSlowWire},
		{"an archive locked for public keys opens with each of them", backupForRecipients},
		{"a plain archive is a tar", backupPlain},
		{"a compressed archive opens", backupCompressed},
		{"nothing newer than API 1.30 is called", backupWithOldAPI},
		{"an excluded volume is left out and named", backupWithoutVolume},
		{"containers that were down stay down", backupLeavesStoppedAlone},
		{"a dry run touches nothing", dryRun},
		{"an operator's own spool volume is left empty", backupWithOwnSpool},
		{"a cancelled backup leaves UCP running and the old file whole", cancelled},
		{"a terminated backup leaves UCP running and no file", terminated},
		{"a killed plugin does not keep UCP down, and its archive can be had", killedPlugin},
		{"a second backup is refused while one runs", secondBackup},
		{"bad input is refused and nothing changes", refusals},
	}
}

func tappedScenarios() []tappedScenario {
	return []tappedScenario{
		{"UCP's reconcilers are told to hold still while UCP rests", reconcilersAreTold},
		{"what an operator told the reconcilers stays told", operatorsLabelStays},
		{"a backup by a pause starts nothing anew", backupByPause},
	}
}

func TestInstalledEngine(t *testing.T) { playAll(t, lab.Installed) }

func TestCurrentEngine(t *testing.T) { playAll(t, lab.Current) }

func playAll(t *testing.T, version string) {
	t.Helper()
	s := newTapped(t, lab.Options{Version: version}, standin.Options{DataBytes: 64 << 20})
	for _, sc := range scenarios() {
		t.Run(sc.promise, func(t *testing.T) {
			before := s.look(t)
			sc.play(t, s.stage)
			s.unchanged(t, before)
		})
	}
	for _, sc := range tappedScenarios() {
		t.Run(sc.promise, func(t *testing.T) {
			before := s.look(t)
			sc.play(t, s)
			s.unchanged(t, before)
		})
	}
}
