package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// runAuthAPI is the task of ucp-auth-api: healthy while the auth store answers.
func runAuthAPI(ctx context.Context) error {
	config, err := memberTLS(layout.CertDir, "ucp-auth-api-certs")
	if err != nil {
		return err
	}
	client := memberClient(config)
	return listenTLS(ctx, ":4443", config, pinger(func(ctx context.Context) error {
		_, err := askStore(ctx, client, nodeAddress(layout.PortStore))
		return err
	}))
}

// runAuthWorker is the task of ucp-auth-worker. It writes down what the auth store acknowledged, so that volumes that
// stem from different times contradict each other, and ends with an error when the store knows less than it once said.
func runAuthWorker(ctx context.Context) error {
	config, err := memberTLS(layout.CertDir, "ucp-auth-worker-certs")
	if err != nil {
		return err
	}
	w := witness{path: filepath.Join(layout.WorkerDir, layout.WitnessFile), client: memberClient(config)}
	if err := w.load(); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.watch(ctx) })
	group.Go(func() error {
		return listenTLS(ctx, ":4443", config, pinger(func(ctx context.Context) error {
			_, err := askStore(ctx, w.client, nodeAddress(layout.PortStore))
			return err
		}))
	})
	return group.Wait()
}

type witness struct {
	path   string
	client *http.Client
	most   layout.Witness
}

func (w *witness) load() error {
	b, err := os.ReadFile(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &w.most); err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	return nil
}

func (w *witness) watch(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(250 * time.Millisecond):
		}
		status, err := askStore(ctx, w.client, nodeAddress(layout.PortStore))
		if err != nil {
			slog.Debug("auth store is away", "error", err)
			continue
		}
		if status.Acknowledged < w.most.Acknowledged {
			return fmt.Errorf("auth store lost acknowledged records: it has %d, and said %d once", status.Acknowledged, w.most.Acknowledged)
		}
		w.most.Acknowledged = status.Acknowledged
		if err := w.save(); err != nil {
			return fmt.Errorf("save witness: %w", err)
		}
	}
}

func (w *witness) save() error {
	b, err := json.Marshal(w.most)
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(w.path+".new", w.path)
}

// pinger answers GET /_ping as UCP does: 200 with OK, or 500; other methods find nothing there.
func pinger(healthy func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/_ping" {
			http.NotFound(w, r)
			return
		}
		answer(w, healthy(r.Context()))
	})
}
