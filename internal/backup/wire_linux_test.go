package backup

import (
	"context"
	"errors"
	"strings"
)

func (m *manager) call(ctx context.Context, words ...string) error {
	call := strings.Join(words, " ")
	m.mu.Lock()
	m.calls = append(m.calls, call)
	hooks := []func(string) error{m.before, m.wire}
	m.mu.Unlock()
	life, byAgent := ctx.Value(fromAgent{}).(*life)
	if byAgent {
		hooks = hooks[:1]
	}
	if err := m.unreachable(ctx); err != nil {
		return err
	}
	for _, hook := range hooks {
		if hook == nil {
			continue
		}
		if err := hook(call); err != nil {
			return err
		}
	}
	if byAgent && life.isDead() {
		return errDead
	}
	return errors.Join(m.unreachable(ctx), ctx.Err())
}

// unreachable fails while there is no engine, or no way to it, and lets a plugin that was killed go no further.
func (m *manager) unreachable(ctx context.Context) error {
	by, byPlugin := ctx.Value(fromPlugin{}).(*run)
	m.mu.Lock()
	_, byAgent := ctx.Value(fromAgent{}).(*life)
	refused := m.gone || m.down && byPlugin || m.deaf && byAgent
	killed := byPlugin && m.killed == by
	if byPlugin {
		m.plugin = by
	}
	m.mu.Unlock()
	if killed {
		<-m.over
		refused = true
	}
	if refused {
		return errors.New("connection refused")
	}
	return nil
}

// fromPlugin marks the context of a plugin's calls with its run.
type fromPlugin struct{}

// killPlugin ends the plugin as SIGKILL does: nothing that it does from now on happens.
func (m *manager) killPlugin() {
	m.mu.Lock()
	m.killed = m.plugin
	m.mu.Unlock()
	m.breakStreams()
	m.breakInput()
}

// setDown takes the plugin's connection away, or gives it back.
func (m *manager) setDown(down bool) {
	m.mu.Lock()
	m.down = down
	m.mu.Unlock()
	if down {
		m.breakStreams()
		m.breakInput()
	}
}

func (m *manager) breakStreams() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, stream := range m.streams {
		close(stream.broken)
	}
	m.streams = nil
}

// breakInput ends what the plugin is attached to: the agent's input ends.
func (m *manager) breakInput() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, conn := range m.conns {
		_ = conn.Close() // it may have ended
	}
	m.conns = nil
}
