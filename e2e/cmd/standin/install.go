package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
	"github.com/docker-ucp/docker-ucp/e2e/standin/pki"
	"github.com/docker-ucp/docker-ucp/e2e/standin/store"
)

// install fills the volumes of a new UCP, mounted under /volumes, and leaves the admin's client bundle in /bundle.
func install(args []string) error {
	var job layout.Job
	if len(args) != 1 {
		return errors.New("install wants its job")
	}
	if err := json.Unmarshal([]byte(args[0]), &job); err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	slog.Info(layout.Banner, "program", "install", "version", job.Version)
	hosts := []string{job.Address, "127.0.0.1", "localhost", job.NodeName}
	roots, err := pki.Install(layout.VolumesDir, hosts)
	if err != nil {
		return err
	}
	if err := pki.WriteBundle(layout.BundleDir, roots, job.Address, job.InstanceID); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	if err := installData(job); err != nil {
		return err
	}
	slog.Info("installed", "instance", job.InstanceID)
	return nil
}

func installData(job layout.Job) error {
	data := filepath.Join(layout.VolumesDir, "ucp-auth-store-data")
	if err := store.Create(filepath.Join(data, filepath.Base(layout.StoreDir))); err != nil {
		return err
	}
	inventory := filepath.Join(layout.VolumesDir, "ucp-metrics-inventory", "inventory.json")
	if err := os.WriteFile(inventory, []byte(`[{"targets":["`+job.Address+`:12376"]}]`+"\n"), 0o644); err != nil {
		return err
	}
	if err := fill(filepath.Join(layout.VolumesDir, job.DataVolume), job); err != nil {
		return err
	}
	if !job.Plain {
		if err := oddFiles(filepath.Join(layout.VolumesDir, "ucp-metrics-data", "odd")); err != nil {
			return fmt.Errorf("write odd files: %w", err)
		}
	}
	for _, volume := range []string{"ucp-kv", "ucp-auth-store-data", "ucp-auth-worker-data", "ucp-metrics-data"} {
		if err := giveToNobody(filepath.Join(layout.VolumesDir, volume)); err != nil {
			return err
		}
	}
	return nil
}

// giveToNobody leaves out the odd files, whose owners are part of their oddness.
func giveToNobody(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == "odd" {
			return filepath.SkipDir
		}
		return os.Lchown(path, layout.Nobody, layout.Nobody)
	})
}
