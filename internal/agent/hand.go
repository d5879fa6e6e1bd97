package agent

import (
	"encoding/json"
	"os"

	"github.com/docker-ucp/docker-ucp/internal/engine"
)

// Handed is what came of handing the operator's file to the agent, as an open file. One that the agent's container mounted
// would have to be there whenever the engine starts the agent again, or UCP would stay at rest.
type Handed struct {
	Direct  bool `json:"direct"`   // the agent holds the very file that the plugin made
	OneDisk bool `json:"one_disk"` // the file takes from the same room as the spool
}

// HandTask hands the file at output, which belongs to the user with the ID owner, to the agent that waits for a file with
// this nonce.
func HandTask(image, startedBy, spool, output string, owner int, nonce string) engine.Task {
	task := engine.Task{Image: image, StartedBy: startedBy, Args: []string{TaskHand, nonce}, Spool: spool, Output: output}
	if owner != 0 {
		task.Capabilities = []string{"DAC_OVERRIDE"} // root has no say in it without
	}
	return task
}

// openOutput opens the operator's file when it is the very one that the plugin made; nil when it is another, or none. A
// socket can lead into another machine, where the same path is another file.
func openOutput(path, nonce string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil //nolint:nilerr // not ours to write: the archive goes through the spool.
	}
	if !isVery(file, nonce) {
		return nil, file.Close()
	}
	return file, nil
}

// isVery knows the file that the plugin made by the nonce in it.
func isVery(file *os.File, nonce string) bool {
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	content := make([]byte, len(nonce)+1)
	n, _ := file.ReadAt(content, 0) // an unreadable file is another file
	return nonce != "" && string(content[:n]) == nonce
}

// jsonLine is what a task prints for a program.
func jsonLine(value any, err error) (string, error) {
	if err != nil {
		return "", err
	}
	line, err := json.Marshal(value)
	return string(line) + "\n", err
}
