package etcd

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"gotest.tools/v3/assert"
)

// judgeFolder is the variable that makes the test's program judge the databases in a folder by bbolt's own check.
const judgeFolder = "ETCD_TEST_JUDGE_FOLDER"

func TestMain(m *testing.M) {
	if folder := os.Getenv(judgeFolder); folder != "" {
		judgeAll(folder, os.Getenv(judgeFolder+"_FROM"))
		return
	}
	os.Exit(m.Run())
}

// judgeAll prints a line for each database, numbered from the one on that it is told.
func judgeAll(folder, from string) {
	debug.SetMaxStack(64 << 20) // a cycle of pages is found by that
	first, err := strconv.Atoi(from)
	if err != nil {
		panic(err)
	}
	for i := first; ; i++ {
		name := filepath.Join(folder, strconv.Itoa(i))
		if _, err := os.Stat(name); err != nil {
			return
		}
		fmt.Println(judge(name))
	}
}

// judge gives the last that bbolt finds. What it holds for that is the process's to give back.
func judge(name string) string {
	db, err := bolt.Open(name, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		return err.Error()
	}
	tx, err := db.Begin(false)
	if err != nil {
		return err.Error()
	}
	verdict, before := sound, runtime.NumGoroutine()
	for err := range tx.Check() { // to the end: what panics later belongs to this database
		verdict = fmt.Sprintf("%.200q", err) // a key may be long
	}
	for runtime.NumGoroutine() > before { // one that panics closes the channel first, and ends with the process
		time.Sleep(100 * time.Microsecond)
	}
	return verdict
}

const (
	sound    = "sound"
	crashed  = "crashed"
	patience = 2 * time.Second
)

// boltVerdicts has other processes judge databases: bbolt panics on many, some of it in goroutines of its own, and one
// that hangs is as broken.
func boltVerdicts(t *testing.T, count int, database func(i int) []byte) []string {
	t.Helper()
	folder := t.TempDir()
	for i := range count {
		assert.NilError(t, os.WriteFile(filepath.Join(folder, strconv.Itoa(i)), database(i), 0o600))
	}
	var verdicts []string
	for len(verdicts) < count {
		verdicts = append(verdicts, judgeFrom(t, folder, len(verdicts))...)
		if len(verdicts) < count {
			verdicts = append(verdicts, crashed)
		}
	}
	return verdicts
}

// judgeFrom gives the verdicts up to the first database on which the process ends.
func judgeFrom(t *testing.T, folder string, from int) (verdicts []string) {
	t.Helper()
	judge := exec.CommandContext(t.Context(), os.Args[0])
	judge.Env = append(os.Environ(), judgeFolder+"="+folder, judgeFolder+"_FROM="+strconv.Itoa(from), "GOTRACEBACK=none")
	out, err := judge.StdoutPipe()
	assert.NilError(t, err)
	assert.NilError(t, judge.Start())
	hang := time.AfterFunc(patience, func() { _ = judge.Process.Kill() }) // if it has ended by itself, the better
	for lines := bufio.NewScanner(out); lines.Scan(); {
		hang.Reset(patience)
		verdicts = append(verdicts, lines.Text())
	}
	hang.Stop()
	_ = judge.Wait() // that it crashed shows by the verdict that is missing
	return verdicts
}
