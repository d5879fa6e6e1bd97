package commands

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"

	"github.com/docker/cli/cli/command"

	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// connect makes the engine's client. Call it before anything is made: the docker CLI exits by itself where it cannot make
// one.
//
// Over TLS and ssh, Go's client asks for compressed answers, and an engine then compresses the archive that it sends,
// which is sealed and does not shrink: five times as slow over TLS (512 MiB in 12.5 s, and in 2.4 s without). The docker
// CLI takes headers from its configuration only; the change is not written back.
//
// A connection that anybody on the way can read is refused: the session key goes over it.
func connect(dockerCLI command.Cli) (*engine.Engine, error) {
	endpoint := dockerCLI.DockerEndpoint()
	if secure := endpoint.TLSData != nil || endpoint.SkipTLSVerify; !secure && !isPrivate(endpoint.Host) {
		return nil, failure.Refuse(fmt.Errorf("%s is neither TLS nor ssh; the archive's key would cross the wire for all to read", endpoint.Host),
			"use ssh: docker -H ssh://root@MANAGER ucp backup FILE; or TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH")
	}
	config := dockerCLI.ConfigFile()
	headers := map[string]string{"Accept-Encoding": "identity"}
	maps.Copy(headers, config.HTTPHeaders) // what the operator set wins
	config.HTTPHeaders = headers
	return engine.New(dockerCLI.Client()), nil
}

// isPrivate tells a way that stays on this machine, or that ssh protects, from one over the network.
func isPrivate(host string) bool {
	u, err := url.Parse(host)
	if err != nil || u.Scheme != "tcp" && u.Scheme != "http" {
		return true // a socket, a pipe, ssh; what is none of them the CLI refuses itself
	}
	if u.Hostname() == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(u.Hostname())
	return err == nil && address.IsLoopback()
}
