package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// runKV is ucp-kv: an etcd of one member, with the arguments that are publicly known of UCP's.
func runKV(ctx context.Context) error {
	if _, _, err := certificates(layout.CertDir, "ucp-kv-certs"); err != nil {
		return err
	}
	server, err := startKV(ctx, kvConfig(os.Getenv("UCP_HOST_ADDRESS")))
	if err != nil {
		return err
	}
	defer server.Close()
	// Within one process the client holds nothing that must be closed.
	if err := seed(ctx, v3client.New(server.Server)); err != nil {
		return err
	}
	slog.Info("ready", "program", "kv")
	select {
	case <-ctx.Done():
		return nil
	case err := <-server.Err():
		return err
	}
}

func kvConfig(address string) *embed.Config {
	at := func(host string, port int) []url.URL {
		return []url.URL{{Scheme: "https", Host: fmt.Sprintf("%s:%d", host, port)}}
	}
	c := embed.NewConfig()
	c.Name = "orca-kv-" + address
	c.Dir = layout.KVDir
	c.ListenClientUrls, c.AdvertiseClientUrls = at("0.0.0.0", 2379), at(address, layout.PortKV)
	c.ListenPeerUrls, c.AdvertisePeerUrls = at("0.0.0.0", layout.PortKVPeer), at(address, layout.PortKVPeer)
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.ClientTLSInfo = transport.TLSInfo{
		CertFile:       layout.CertDir + "/cert.pem",
		KeyFile:        layout.CertDir + "/key.pem",
		TrustedCAFile:  layout.CertDir + "/ca.pem",
		ClientCertAuth: true,
	}
	c.PeerTLSInfo = c.ClientTLSInfo
	c.TickMs, c.ElectionMs = 500, 5000
	c.SnapshotCount = 20000
	c.LogLevel = "warn"
	return c
}

// startKV waits until the server has a leader.
func startKV(ctx context.Context, c *embed.Config) (*embed.Etcd, error) {
	server, err := embed.StartEtcd(c)
	if err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	select {
	case <-server.Server.ReadyNotify():
		return server, nil
	case err := <-server.Err():
		server.Close()
		return nil, fmt.Errorf("start etcd: %w", err)
	case <-ctx.Done():
		server.Close()
		return nil, ctx.Err()
	}
}

// dialKV connects to an etcd as a member of the cluster.
func dialKV(endpoint string, config *tls.Config) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{"https://" + endpoint}, TLS: config, DialTimeout: 3 * time.Second})
}
