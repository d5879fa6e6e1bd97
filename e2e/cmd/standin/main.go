// Command standin is every program of a stand-in for UCP, in one static binary: the first argument says which one.
// Its image holds nothing else. On the machine that runs the tests it checks extracted copies (check-kv, check-store, check-certs).
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("which program? (%s)", layout.Banner)
	}
	switch args[0] { // what runs to its end
	case "install":
		return install(args[1:])
	case "kv-keys":
		return kvKeys(ctx)
	case "kv-put":
		return kvPut(ctx, args[1:])
	case "kv-cluster":
		return kvCluster(ctx)
	case "kv-snapshot":
		return kvSnapshot(ctx)
	case "check-kv":
		return kvCheck(ctx, args[1:])
	case "store-status":
		return storeStatus(ctx)
	case "check-store":
		return storeCheck(args[1:])
	case "check-certs":
		return certsCheck(args[1:])
	case "echo": // lets a test see whether a stream and its end come through
		_, err := io.Copy(os.Stdout, os.Stdin)
		return err
	case "reconcile":
		return nil // the wanted state is reached: nothing to do
	case "idle": // of some programs only their being there matters
		<-ctx.Done()
		return nil
	}
	return serve(ctx, args[0])
}

// serve runs a program that ends only on a signal.
func serve(ctx context.Context, role string) error {
	programs := map[string]func(context.Context) error{
		"kv":              runKV,
		"auth-store":      runAuthStore,
		"auth-api":        runAuthAPI,
		"auth-worker":     runAuthWorker,
		"controller":      runController,
		"proxy":           runProxy,
		"swarm-manager":   runSwarmManager,
		"cluster-root-ca": runRootCA,
		"client-root-ca":  runRootCA,
		"agent":           runAgent,
	}
	program, ok := programs[role]
	if !ok {
		return fmt.Errorf("unknown program %q", role)
	}
	slog.Info(layout.Banner, "program", role)
	if err := program(ctx); err != nil {
		return fmt.Errorf("%s: %w", role, err)
	}
	slog.Info("stopped", "program", role)
	return nil
}
