package standin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

const healthyWithin = 60 * time.Second

// Ping asks the controller through the admin's bundle whether UCP is healthy.
func (u *UCP) Ping(ctx context.Context) error { return u.ping(ctx, layout.PortController) }

// Healthy asks everything that has a port, and the swarm for the tasks of the services.
func (u *UCP) Healthy(ctx context.Context) error {
	ports := []int{layout.PortController, layout.PortProxy, layout.PortAuthAPI, layout.PortAuthWorker, layout.PortClusterCA, layout.PortClientCA}
	for _, port := range ports {
		if err := u.ping(ctx, port); err != nil {
			return err
		}
	}
	return u.tasksRun(ctx)
}

// waitHealthy says at its end what was still missing.
func (u *UCP) waitHealthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthyWithin)
	defer cancel()
	for {
		err := u.Healthy(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not healthy: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (u *UCP) ping(ctx context.Context, port int) (err error) {
	config, err := u.bundleTLS()
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	address := net.JoinHostPort(u.Address, strconv.Itoa(port))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/_ping", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return fmt.Errorf("ping %s: %w", address, err)
	}
	if said := strings.TrimSpace(string(body)); resp.StatusCode != http.StatusOK || said != "OK" {
		return fmt.Errorf("ping %s: %s: %s", address, resp.Status, said)
	}
	return nil
}

func (u *UCP) bundleTLS() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(u.BundleDir, "cert.pem"), filepath.Join(u.BundleDir, "key.pem"))
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	roots, err := os.ReadFile(filepath.Join(u.BundleDir, "ca.pem"))
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

func (u *UCP) tasksRun(ctx context.Context) error {
	for _, name := range u.serviceNames() {
		tasks, err := u.engine.TaskList(ctx, swarm.TaskListOptions{
			Filters: filters.NewArgs(filters.Arg("service", name), filters.Arg("desired-state", "running")),
		})
		if err != nil {
			return fmt.Errorf("list tasks of %s: %w", name, err)
		}
		runs := func(t swarm.Task) bool { return t.Status.State == swarm.TaskStateRunning }
		if !slices.ContainsFunc(tasks, runs) {
			return fmt.Errorf("service %s: no task runs", name)
		}
	}
	return nil
}
