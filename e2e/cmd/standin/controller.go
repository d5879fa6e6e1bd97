package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
	"github.com/docker-ucp/docker-ucp/e2e/standin/pki"
)

// controller is ucp-controller: the web server through which clients reach the engine, and which knows whether UCP is
// healthy.
type controller struct {
	kv     *clientv3.Client
	store  *http.Client
	engine http.Handler
	ping   http.Handler
}

func runController(ctx context.Context) (err error) {
	server, err := controllerTLS()
	if err != nil {
		return err
	}
	member, err := memberTLS(layout.ClientCertDir, "ucp-controller-client-certs")
	if err != nil {
		return err
	}
	kv, err := dialKV(nodeAddress(layout.PortKV), member)
	if err != nil {
		return fmt.Errorf("connect to etcd: %w", err)
	}
	defer func() { err = errors.Join(err, kv.Close()) }()
	seen := newDisguise()
	c := &controller{kv: kv, store: memberClient(member), engine: engineProxy(seen.plain, seen.apply)}
	c.ping = pinger(c.healthy)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.renewNode(ctx) })
	group.Go(func() error { return listenTLS(ctx, ":8080", server, c) })
	return group.Wait()
}

// controllerTLS asks for client certificates of either CA and takes clients that have none.
func controllerTLS() (*tls.Config, error) {
	pair, pool, err := certificates(layout.CertDir, "ucp-controller-server-certs")
	if err != nil {
		return nil, err
	}
	cluster, err := os.ReadFile(layout.ClientCertDir + "/ca.pem")
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(cluster) {
		return nil, errors.New("cluster root CA: no certificate in it")
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientCAs:    pool,
		ClientAuth:   tls.VerifyClientCertIfGiven,
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"}, // hijacking needs it
	}, nil
}

func (c *controller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case versionless(r.URL.Path) == "/_ping":
		r.URL.Path = "/_ping"
		w.Header().Set("Api-Version", os.Getenv("ENGINE_API_VERSION"))
		w.Header().Set("Ostype", "linux")
		w.Header().Set("Server", "ucp")
		c.ping.ServeHTTP(w, r)
	case len(r.TLS.PeerCertificates) == 0:
		http.Error(w, `{"message":"authentication required: no client certificate"}`, http.StatusUnauthorized)
	case r.TLS.PeerCertificates[0].Subject.CommonName != "admin":
		http.Error(w, `{"message":"access denied: not an admin"}`, http.StatusForbidden)
	default:
		c.engine.ServeHTTP(w, r)
	}
}

// healthy is what /_ping stands for: both databases answer and are whole, and the certificates are as installed.
func (c *controller) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	for dir, volume := range map[string]string{layout.CertDir: "ucp-controller-server-certs", layout.ClientCertDir: "ucp-controller-client-certs"} {
		v, err := pki.ByName(volume)
		if err != nil {
			return err
		}
		if err := v.Check(dir); err != nil {
			return err
		}
	}
	if _, err := readKeys(ctx, c.kv); err != nil {
		return err
	}
	_, err := askStore(ctx, c.store, nodeAddress(layout.PortStore))
	return err
}

// renewNode writes this node's key again every second, as classic swarm does, so that etcd is never idle.
func (c *controller) renewNode(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
		put, cancel := context.WithTimeout(ctx, 3*time.Second)
		_, err := c.kv.Put(put, nodeKey(), nodeAddress(layout.PortProxy))
		cancel()
		if err != nil && ctx.Err() == nil {
			slog.Warn("renew node", "error", err)
		}
	}
}
