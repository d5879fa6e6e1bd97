package ucp_test

import (
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

func TestOnlyTheVersionsWithTheFaultPileUpShm(t *testing.T) {
	tests := map[string]bool{
		"3.0.0": true, "3.0.7": true, "3.0.8": false, "3.0.10": false,
		"3.1.0": true, "3.1.2": true, "3.1.3": false, "3.1.14": false,
		"2.2.4": false, "3.2.0": false, "3.10.1": false, "13.1.2": false, "1.1.2": false,
		"3.1.2-rc1": true, "3.1.2 ": true, " 3.1.2\n": true, "3.1.0-beta4": true, "3.1.2+build.7": true, "3.1.3-rc1": false,
		"3.1": true, "3.2": false, "3": false, "": false, "latest": false, "3.1.x": false, "3.1.2.4": false, "v3.1.2": false,
	}
	for version, want := range tests {
		t.Run(version, func(t *testing.T) { assert.Equal(t, ucp.PilesUpShm(version), want) })
	}
}
