package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/wal"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// runKV is ucp-kv: an etcd of one member, with the arguments that are publicly known of UCP's.
func runKV(ctx context.Context) error {
	if _, _, err := certificates(layout.CertDir, "ucp-kv-certs"); err != nil {
		return err
	}
	config, err := kvConfig(os.Getenv("UCP_HOST_ADDRESS"))
	if err != nil {
		return err
	}
	server, err := startKV(ctx, config)
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

func kvConfig(address string) (*embed.Config, error) {
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
	// UCP has 500 and 5000, with which a member that is alone waits up to ten seconds at each start. Tests start it often.
	c.TickMs, c.ElectionMs = 50, 500
	c.LogLevel = "warn"
	var err error
	if c.SnapshotCount, err = wanted(layout.EnvSnapshotCount, 20000); err != nil {
		return nil, err
	}
	segment, err := wanted(layout.EnvLogSegment, uint64(wal.SegmentSizeBytes))
	wal.SegmentSizeBytes = int64(segment) // etcd has no other way to say it
	return c, err
}

// wanted is the number that a variable holds, or the usual one where there is no variable.
func wanted(variable string, usual uint64) (uint64, error) {
	value := os.Getenv(variable)
	if value == "" {
		return usual, nil
	}
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", variable, err)
	}
	return n, nil
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

// dialKV connects to an etcd as a member of the cluster. It tries often, so that it is there soon after etcd is.
func dialKV(endpoint string, config *tls.Config) (*clientv3.Client, error) {
	patience := grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.2, MaxDelay: 300 * time.Millisecond},
		MinConnectTimeout: time.Second,
	}
	return clientv3.New(clientv3.Config{
		Endpoints:   []string{"https://" + endpoint},
		TLS:         config,
		DialTimeout: 3 * time.Second,
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(patience)},
		Logger:      zap.NewNop(), // what goes wrong comes back as an error
	})
}
