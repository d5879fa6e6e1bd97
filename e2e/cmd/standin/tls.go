package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
	"github.com/docker-ucp/docker-ucp/e2e/standin/pki"
)

// certificates loads a folder of certificates that must be exactly as the installer made it.
func certificates(dir, volume string) (tls.Certificate, *x509.CertPool, error) {
	v, err := pki.ByName(volume)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	if err := v.Check(dir); err != nil {
		return tls.Certificate{}, nil, err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pool, err := readPool(filepath.Join(dir, "ca.pem"))
	return pair, pool, err
}

func readPool(path string) (*x509.CertPool, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s: no certificate in it", path)
	}
	return pool, nil
}

// memberTLS serves to, and speaks as, a member of the cluster: both sides show certificates of the cluster's CA.
func memberTLS(dir, volume string) (*tls.Config, error) {
	pair, pool, err := certificates(dir, volume)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		RootCAs:      pool,
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		MinVersion:   tls.VersionTLS12,
	}, nil
}

// listenTLS serves handler on all addresses until the context ends, and lets running requests end within a second.
func listenTLS(ctx context.Context, address string, config *tls.Config, handler http.Handler) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := server.Shutdown(grace); errors.Is(err, context.DeadlineExceeded) {
			done <- server.Close()
			return
		}
		done <- nil
	}()
	if err := server.Serve(tls.NewListener(listener, config)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-done
}

// memberClient speaks HTTP to other members of the cluster.
func memberClient(config *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 2},
		Timeout:   3 * time.Second,
	}
}

// nodeAddress is where the published ports of this node are.
func nodeAddress(port int) string {
	return net.JoinHostPort(os.Getenv("UCP_HOST_ADDRESS"), strconv.Itoa(port))
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("X-Standin", layout.Banner)
	// A client that has gone needs no answer.
	_, _ = w.Write([]byte("OK"))
}
