package scenarios

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/errdefs"
)

func isNotFound(err error) bool { return errdefs.IsNotFound(err) }

// within asks again and again until the answer is yes, and fails the test with the last reason for a no when the time is over.
func within(t *testing.T, limit time.Duration, what string, ask func(context.Context) (bool, string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var last string
	for {
		asking, end := context.WithTimeout(ctx, 10*time.Second) // an engine that hangs is asked again
		yes, why := ask(asking)
		end()
		if yes {
			return
		}
		if ctx.Err() == nil || last == "" {
			last = why
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s for %s: %s", limit, what, last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// hostPid returns the number on the host of a container's first process: its control group is named by the container's ID.
// Zero is none.
func hostPid(t *testing.T, id string) int {
	t.Helper()
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range groups {
		content, err := os.ReadFile(group)
		if err != nil || !strings.Contains(string(content), id) {
			continue // gone, or another's
		}
		dir := filepath.Dir(group)
		status, err := os.ReadFile(filepath.Join(dir, "status"))
		if err != nil {
			continue
		}
		if fields := strings.Fields(field(string(status), "NSpid:")); len(fields) == 0 || fields[len(fields)-1] != "1" {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			return pid
		}
	}
	return 0
}

func field(status, name string) string {
	for line := range strings.Lines(status) {
		if rest, found := strings.CutPrefix(line, name); found {
			return rest
		}
	}
	return ""
}

// lockedText is what somebody says while somebody else listens.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
