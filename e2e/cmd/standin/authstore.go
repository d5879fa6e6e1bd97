package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
	"github.com/docker-ucp/docker-ucp/e2e/standin/pki"
	"github.com/docker-ucp/docker-ucp/e2e/standin/store"
)

// runAuthStore is ucp-auth-store: it writes all the time, and tells who asks how many records it acknowledged.
func runAuthStore(ctx context.Context) error {
	config, err := memberTLS(layout.CertDir, "ucp-auth-store-certs")
	if err != nil {
		return err
	}
	s, err := store.Open(layout.StoreDir)
	if err != nil {
		return err
	}
	slog.Info("opened", "acknowledged", s.Opened())
	handler := http.NewServeMux()
	handler.HandleFunc("GET /_ping", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	handler.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		status := layout.StoreStatus{Opened: s.Opened(), Acknowledged: s.Acknowledged()}
		if err := json.NewEncoder(w).Encode(status); err != nil {
			slog.Warn("answer", "error", err)
		}
	})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.Run(ctx) })
	for _, port := range []int{layout.PortStore, layout.PortStorePeer} {
		group.Go(func() error { return listenTLS(ctx, fmt.Sprintf(":%d", port), config, handler) })
	}
	return errors.Join(group.Wait(), s.Close())
}

// storeStatus prints what the auth store answers in whose container it runs.
func storeStatus(ctx context.Context) error {
	config, err := memberTLS(layout.CertDir, "ucp-auth-store-certs")
	if err != nil {
		return err
	}
	status, err := askStore(ctx, memberClient(config), fmt.Sprintf("127.0.0.1:%d", layout.PortStore))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(status)
}

func askStore(ctx context.Context, client *http.Client, address string) (status layout.StoreStatus, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/status", http.NoBody)
	if err != nil {
		return status, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return status, fmt.Errorf("ask auth store: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return status, fmt.Errorf("ask auth store: %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil {
		return status, fmt.Errorf("ask auth store: %w", err)
	}
	return status, nil
}

// storeCheck is the store's own check of an extracted volume, for an operator's hands.
func storeCheck(args []string) error {
	if len(args) != 1 {
		return errors.New("check-store wants a folder")
	}
	report, err := store.Check(layout.Inside(args[0], layout.StoreDir))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}

// certsCheck does the same for a volume of certificates.
func certsCheck(args []string) error {
	if len(args) != 1 {
		return errors.New("check-certs wants a folder named as its volume")
	}
	v, err := pki.ByName(filepath.Base(args[0]))
	if err != nil {
		return err
	}
	return v.Check(args[0])
}
