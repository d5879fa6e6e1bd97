package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
	"github.com/docker-ucp/docker-ucp/e2e/standin/pki"
)

// runRootCA is ucp-cluster-root-ca or ucp-client-root-ca: it holds the volume of its CA and shows its certificate.
func runRootCA(ctx context.Context) error {
	v, err := pki.ByName(os.Getenv("UCP_ROOT"))
	if err != nil {
		return err
	}
	if err := v.Check(layout.CADir); err != nil {
		return err
	}
	config, err := memberTLS(layout.CertDir, "ucp-node-certs")
	if err != nil {
		return err
	}
	config.ClientAuth = tls.NoClientCert
	cert, err := os.ReadFile(filepath.Join(layout.CADir, "cert.pem"))
	if err != nil {
		return err
	}
	handler := http.NewServeMux()
	handler.Handle("/_ping", pinger(func(context.Context) error { return v.Check(layout.CADir) }))
	handler.HandleFunc("POST /api/v1/cfssl/info", func(w http.ResponseWriter, _ *http.Request) {
		reply := map[string]any{"success": true, "errors": []string{}, "result": map[string]string{"certificate": string(cert)}}
		// A client that has gone needs no answer.
		_ = json.NewEncoder(w).Encode(reply)
	})
	return listenTLS(ctx, ":12381", config, handler)
}

// runSwarmManager is ucp-swarm-manager: a port that answers members of the cluster.
func runSwarmManager(ctx context.Context) error {
	config, err := memberTLS(layout.CertDir, "ucp-node-certs")
	if err != nil {
		return err
	}
	return listenTLS(ctx, ":2375", config, pinger(func(context.Context) error { return nil }))
}
