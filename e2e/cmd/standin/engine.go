package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// engineProxy passes requests on to the node's engine, streams and hijacked connections included. It asks for what plain
// makes of the path, and passes back what change makes of the answer.
func engineProxy(plain func(path string) string, change func(*http.Response) error) http.Handler {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "docker"
			if path := plain(r.Out.URL.Path); path != r.Out.URL.Path {
				r.Out.URL.Path, r.Out.URL.RawPath = path, ""
			}
		},
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "unix", layout.Socket)
			},
			DisableCompression: true,
		},
		FlushInterval:  -1, // events and logs must not wait
		ModifyResponse: change,
	}
}

// runProxy is ucp-proxy: the engine behind TLS, for whoever has a certificate of the cluster's CA.
func runProxy(ctx context.Context) error {
	config, err := memberTLS(layout.CertDir, "ucp-node-certs")
	if err != nil {
		return err
	}
	config.NextProtos = []string{"http/1.1"} // hijacking needs it
	return listenTLS(ctx, ":2376", config, engineProxy(func(path string) string { return path }, nil))
}
