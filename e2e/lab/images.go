package lab

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"
)

// ToolsImage is the name under which ImportTools leaves its image.
const ToolsImage = "lab/tools:latest"

// tools are the programs of the host that go into ToolsImage: what a shell script with tar and gpg calls.
var tools = []string{"sh", "cat", "cp", "dd", "gpg", "gpg-agent", "ls", "mkdir", "rm", "sha256sum", "sleep", "sync", "tar"}

// ImportTools makes an image out of the host's own sh, tar, gpg and their libraries: there is no registry to get one from.
func ImportTools(ctx context.Context, engine *client.Client) error {
	files := map[string]string{}
	for _, name := range tools {
		path := program(name)
		files["usr/bin/"+name] = path // where gpg looks for its agent
		libraries, err := librariesOf(ctx, path)
		if err != nil {
			return fmt.Errorf("make an image of the host's tools: %w", err)
		}
		for _, library := range libraries {
			files[strings.TrimPrefix(library, "/")] = library
		}
	}
	return importFiles(ctx, engine, ToolsImage, files, "ENV PATH=/usr/bin", "ENV HOME=/root", `CMD ["sh"]`)
}

// ImportProgram makes an image of one static program, as /NAME with the name that its file has.
func ImportProgram(ctx context.Context, engine *client.Client, ref, path string) error {
	name := filepath.Base(path)
	return importFiles(ctx, engine, ref, map[string]string{name: path}, fmt.Sprintf("ENTRYPOINT [%q]", "/"+name))
}

// librariesOf asks the loader what a program needs. A static one needs nothing.
func librariesOf(ctx context.Context, path string) ([]string, error) {
	said, err := output(ctx, "ldd", path)
	if err != nil {
		return nil, err
	}
	var libraries []string
	for line := range strings.Lines(said) {
		for _, field := range strings.Fields(line) {
			if filepath.IsAbs(field) {
				libraries = append(libraries, field)
			}
		}
	}
	return libraries, nil
}

// importFiles makes an image of files: its paths on the left, the host's on the right.
func importFiles(ctx context.Context, engine *client.Client, ref string, files map[string]string, changes ...string) error {
	group, ctx := errgroup.WithContext(ctx)
	read, write := io.Pipe()
	group.Go(func() error {
		err := writeImage(write, files)
		return errors.Join(err, write.CloseWithError(err))
	})
	group.Go(func() error {
		err := sendImage(ctx, engine, ref, read, changes)
		return errors.Join(err, read.CloseWithError(err))
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("import image %s: %w", ref, err)
	}
	return nil
}

func sendImage(ctx context.Context, engine *client.Client, ref string, layer io.Reader, changes []string) error {
	source := image.ImportSource{Source: layer, SourceName: "-"}
	answer, err := engine.ImageImport(ctx, source, ref, image.ImportOptions{Changes: changes})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer)
	return errors.Join(err, answer.Close())
}

// base is what programs expect of a root besides themselves.
var base = []struct {
	tar.Header
	content string
}{
	{tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, ""},
	{tar.Header{Typeflag: tar.TypeDir, Name: "root/", Mode: 0o700}, ""},
	{tar.Header{Typeflag: tar.TypeDir, Name: "etc/", Mode: 0o755}, ""},
	{tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, "root:x:0:0:root:/root:/bin/sh\n"},
	{tar.Header{Typeflag: tar.TypeSymlink, Name: "bin", Linkname: "usr/bin", Mode: 0o777}, ""},
}

// writeImage writes a layer with the files and the base.
func writeImage(to io.Writer, files map[string]string) error {
	layer := tar.NewWriter(to)
	for _, entry := range base {
		entry.Size = int64(len(entry.content))
		if err := layer.WriteHeader(&entry.Header); err != nil {
			return err
		}
		if _, err := io.WriteString(layer, entry.content); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := addProgram(layer, name, files[name]); err != nil {
			return err
		}
	}
	return layer.Close()
}

// addProgram copies what a path leads to, through links.
func addProgram(layer *tar.Writer, name, path string) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	err = layer.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: info.Size()})
	if err != nil {
		return err
	}
	_, err = io.Copy(layer, file)
	return err
}

// closeClient keeps the error of a deferred Close.
func closeClient(engine *client.Client, err *error) {
	*err = errors.Join(*err, engine.Close())
}
