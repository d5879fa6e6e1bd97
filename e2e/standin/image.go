package standin

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/docker/docker/api/types/image"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// images is the names of UCP's images, all of which are one here.
var images = []string{
	"ucp", "ucp-agent", "ucp-auth", "ucp-auth-store", "ucp-cfssl", "ucp-controller", "ucp-dsinfo", "ucp-etcd",
	"ucp-metrics", "ucp-swarm",
}

func (u *UCP) image(name string) string { return "docker/" + name + ":" + u.Version }

// The images of the users' workloads.
const (
	webImage = "shop/web:1"
	dbImage  = "shop/db:1"
)

// loadImages imports an image with one file in it, and gives it all names.
func (u *UCP) loadImages(ctx context.Context) error {
	reader, writer := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := packProgram(writer, u.Program)
		packed <- errors.Join(err, writer.CloseWithError(err))
	}()
	first := u.image(images[0])
	answer, err := u.engine.ImageImport(ctx, image.ImportSource{Source: reader, SourceName: "-"}, first, image.ImportOptions{
		Changes: []string{
			`ENTRYPOINT ["` + layout.Program + `"]`,
			`LABEL ` + layout.LabelStandin + `="` + layout.Banner + `"`,
		},
	})
	if err == nil {
		_, err = io.Copy(io.Discard, answer)
		err = errors.Join(err, answer.Close())
	}
	// An engine that stopped reading must not leave the writer waiting.
	if err := errors.Join(err, reader.CloseWithError(err), <-packed); err != nil {
		return fmt.Errorf("import image: %w", err)
	}
	for _, name := range u.imageNames()[1:] {
		if err := u.engine.ImageTag(ctx, first, name); err != nil {
			return fmt.Errorf("name image %s: %w", name, err)
		}
	}
	return nil
}

func (u *UCP) imageNames() []string {
	var names []string
	for _, name := range images {
		names = append(names, u.image(name))
	}
	if u.opts.Minimal {
		return names
	}
	return append(names, webImage, dbImage)
}

func packProgram(w io.Writer, path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	header := &tar.Header{Name: filepath.Base(layout.Program), Mode: 0o755, Size: info.Size(), ModTime: info.ModTime()}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	if _, err := io.Copy(archive, f); err != nil {
		return err
	}
	return archive.Close()
}
