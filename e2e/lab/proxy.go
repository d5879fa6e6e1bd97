package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/time/rate"
)

// proxyChunk is how much passes the slow proxy at a time.
const proxyChunk = 16 << 10

// proxy passes TCP connections on to a node, slowly: all connections together share one rate each way.
type proxy struct {
	listeners map[string]net.Listener // by the node's port
	cancel    context.CancelFunc
	running   sync.WaitGroup

	up, down *rate.Limiter
}

// startProxy listens at 127.0.0.1 for each of the ports of a host.
func startProxy(ctx context.Context, host string, bytesPerSecond int, ports ...string) (*proxy, error) {
	// It lives on after the call that starts it, until stop.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &proxy{
		listeners: map[string]net.Listener{},
		cancel:    cancel,
		up:        rate.NewLimiter(rate.Limit(bytesPerSecond), proxyChunk),
		down:      rate.NewLimiter(rate.Limit(bytesPerSecond), proxyChunk),
	}
	for _, port := range ports {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start a slow proxy: %w", err), p.stop())
		}
		p.listeners[port] = listener
		p.running.Go(func() { p.accept(ctx, listener, net.JoinHostPort(host, port)) })
	}
	return p, nil
}

func (p *proxy) address(port string) string { return p.listeners[port].Addr().String() }

// stop ends the proxy and every connection through it.
func (p *proxy) stop() error {
	p.cancel()
	var errs []error
	for _, listener := range p.listeners {
		errs = append(errs, listener.Close())
	}
	p.running.Wait()
	return errors.Join(errs...)
}

func (p *proxy) accept(ctx context.Context, listener net.Listener, target string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return // stop closed it
		}
		p.running.Go(func() { p.serve(ctx, client, target) })
	}
}

// serve carries one connection. Its errors are the client's to see: as on a wire, the connection just ends.
func (p *proxy) serve(ctx context.Context, client net.Conn, target string) {
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
	if err != nil {
		_ = client.Close()
		return
	}
	stop := context.AfterFunc(ctx, func() { _, _ = client.Close(), server.Close() })
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { carry(ctx, server, client, p.up) })
	both.Go(func() { carry(ctx, client, server, p.down) })
	both.Wait()
	_, _ = client.Close(), server.Close()
}

// carry copies one direction at the limiter's pace and passes its end on, so that the other one may go on.
func carry(ctx context.Context, to, from net.Conn, pace *rate.Limiter) {
	buffer := make([]byte, proxyChunk)
	for {
		count, err := from.Read(buffer)
		if waited := pace.WaitN(ctx, count); waited != nil {
			return
		}
		if _, failed := to.Write(buffer[:count]); failed != nil {
			_ = from.Close()
			return
		}
		if errors.Is(err, io.EOF) {
			if half, ok := to.(*net.TCPConn); ok {
				_ = half.CloseWrite()
			}
			return
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}
