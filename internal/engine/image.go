package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// AgentPath is where the agent's program lies in its image. A program that is started under this name is the agent.
const AgentPath = "/docker-ucp-agent"

// imageRepository names the images that ImportAgent makes; the tag is the program's digest.
const imageRepository = "docker-ucp/agent"

// ImportAgent makes an image of the program at path, alone in an otherwise empty file system, and returns its name. An
// image of that very program which an earlier run left is used.
// Nothing is pulled, so it works on an engine that reaches no registry.
// A name together with an error is an image that may be there all the same.
func (e *Engine) ImportAgent(ctx context.Context, path string) (name string, err error) {
	program, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read this program to make the agent's image: %w", err)
	}
	defer func() { err = errors.Join(err, program.Close()) }()
	if err := e.refuseForeign(ctx, program); err != nil {
		return "", err
	}
	layer, digest, err := layerOf(program)
	if err != nil {
		return "", fmt.Errorf("make the agent's image: %w", err)
	}
	name = imageRepository + ":" + digest
	// To import it once more would take the name away from the first image, which nobody could then tell to be ours.
	if _, err = e.api.ImageInspect(ctx, name); err == nil {
		return name, nil
	} else if !cerrdefs.IsNotFound(err) {
		return "", fmt.Errorf("look for image %s: %w", name, err)
	}
	answer, err := e.api.ImageImport(ctx, image.ImportSource{Source: layer, SourceName: "-"}, name, image.ImportOptions{
		Changes: []string{fmt.Sprintf("ENTRYPOINT [%q]", AgentPath)},
	})
	if err != nil {
		return name, fmt.Errorf("import the agent's image: %w", err)
	}
	return name, errors.Join(readAnswer(answer), answer.Close())
}

// RemoveImage removes an image that ImportAgent made. One that is gone, or that a container still uses, is no error:
// the last user removes it.
func (e *Engine) RemoveImage(ctx context.Context, name string) error {
	_, err := e.api.ImageRemove(ctx, name, image.RemoveOptions{PruneChildren: true})
	if err == nil || cerrdefs.IsNotFound(err) || cerrdefs.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("remove image %s: %w", name, err)
}

// refuseForeign refuses a program that cannot run in an empty image on the engine's machine.
func (e *Engine) refuseForeign(ctx context.Context, program io.ReaderAt) error {
	version, err := e.api.ServerVersion(ctx)
	if err != nil {
		return fmt.Errorf("ask the engine for its platform: %w", err)
	}
	platform := version.Os + "/" + version.Arch
	hint := "run the docker-ucp built for " + platform + ", for example on the manager itself"
	binary, err := elf.NewFile(program)
	if err != nil {
		return failure.Refuse(fmt.Errorf("this program is not for %s, where the agent must run", platform), hint)
	}
	if goarch(binary.Machine) != version.Arch || version.Os != "linux" {
		return failure.Refuse(fmt.Errorf("this program is for linux/%s, and the agent must run on %s", goarch(binary.Machine), platform), hint)
	}
	for _, segment := range binary.Progs {
		if segment.Type == elf.PT_INTERP {
			return failure.Refuse(errors.New("this program is linked dynamically and cannot run in an empty image"),
				"build it with: make build")
		}
	}
	return nil
}

func goarch(machine elf.Machine) string {
	switch machine { // the machines that engines run on; any other is named as the format names it
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_S390:
		return "s390x"
	case elf.EM_PPC64:
		return "ppc64le"
	default:
		return strings.ToLower(strings.TrimPrefix(machine.String(), "EM_"))
	}
}

// layerOf returns a tar with the program alone, read from the file as it is sent, and a short digest of the program.
func layerOf(program *os.File) (layer io.Reader, digest string, err error) {
	hash := sha256.New()
	size, err := io.Copy(hash, program)
	if err != nil {
		return nil, "", err
	}
	var head bytes.Buffer
	header := &tar.Header{Name: strings.TrimPrefix(AgentPath, "/"), Mode: 0o755, Size: size}
	if err := tar.NewWriter(&head).WriteHeader(header); err != nil {
		return nil, "", err
	}
	const block, trailer = 512, 1024
	tail := make([]byte, (block-size%block)%block+trailer)
	layer = io.MultiReader(&head, io.NewSectionReader(program, 0, size), bytes.NewReader(tail))
	return layer, hex.EncodeToString(hash.Sum(nil)[:6]), nil
}

// readAnswer reads the engine's stream of messages to its end; an import that failed says so only there.
func readAnswer(answer io.Reader) error {
	decoder := json.NewDecoder(answer)
	for {
		var message jsonmessage.JSONMessage
		switch err := decoder.Decode(&message); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("import the agent's image: read the engine's answer: %w", err)
		case message.Error != nil:
			return fmt.Errorf("import the agent's image: %w", message.Error)
		}
	}
}
