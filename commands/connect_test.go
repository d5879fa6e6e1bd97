package commands

import (
	"testing"

	"gotest.tools/v3/assert"
)

// The session key goes over the connection, so a way that others can read is none.
func TestOnlyAWayThatNobodyElseReadsNeedsNoTLS(t *testing.T) {
	for host, private := range map[string]bool{
		"unix:///var/run/docker.sock": true,
		"npipe:////./pipe/docker":     true,
		"ssh://root@manager1":         true,
		"tcp://127.0.0.1:2375":        true,
		"tcp://[::1]:2375":            true,
		"tcp://localhost:2375":        true,
		"tcp://manager1:2375":         false,
		"tcp://192.0.2.1:2375":        false,
		"http://192.0.2.1:2375":       false,
		"tcp://127.0.0.1.example:1":   false,
	} {
		assert.Equal(t, isPrivate(host), private, host)
	}
}
