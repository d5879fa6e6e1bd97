//go:build !linux

package agent

import "errors"

func (spool) free() (int64, error) {
	return 0, errors.New("the agent runs on Linux alone")
}
