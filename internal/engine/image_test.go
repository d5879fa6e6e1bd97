package engine_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"testing"

	"github.com/docker/docker/api/types"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// nameOf is the name of a program's image.
func nameOf(program []byte) string {
	digest := sha256.Sum256(program)
	return "docker-ucp/agent:" + hex.EncodeToString(digest[:])[:12]
}

// importing returns an engine on linux/amd64 without the program's image, and what it answers to an import.
func importing(t *testing.T, program []byte, imported http.HandlerFunc) map[string]http.HandlerFunc {
	t.Helper()
	return map[string]http.HandlerFunc{
		"GET /version": document(t, types.Version{Os: "linux", Arch: "amd64"}),
		"GET /images/" + nameOf(program) + "/json": refusal(http.StatusNotFound, "No such image"),
		"POST /images/create":                      imported,
	}
}

func TestTheImageIsTheProgramAlone(t *testing.T) {
	program := programFor(t, elf.EM_X86_64, elf.PT_LOAD)
	for name, size := range map[string]int{
		"no whole block": len(program), "a whole block": 512, "one byte more": 513, "one byte less": 511, "larger than any buffer": 3<<20 + 7,
	} {
		t.Run(name, func(t *testing.T) {
			whole := append(bytes.Clone(program), make([]byte, max(0, size-len(program)))...)
			var layer bytes.Buffer
			eng, asked := serve(t, engine.OldestAPI, importing(t, whole, func(w http.ResponseWriter, r *http.Request) {
				_, err := io.Copy(&layer, r.Body)
				assert.Check(t, err)
				query := r.URL.Query()
				assert.Check(t, cmp.Equal(query.Get("fromSrc"), "-"))
				assert.Check(t, cmp.Equal(query.Get("repo"), nameOf(whole)))
				assert.Check(t, cmp.DeepEqual(query["changes"], []string{`ENTRYPOINT ["/docker-ucp-agent"]`}))
				answer(http.StatusOK, `{"status":"sha256:0123"}`)(w, r)
			}))
			image, err := eng.ImportAgent(t.Context(), programFile(t, whole))
			assert.NilError(t, err)
			assert.Equal(t, image, nameOf(whole))
			assert.Check(t, cmp.Contains(asked.last(), "POST /v1.30/images/create?"))

			assert.Equal(t, layer.Len(), 512+(len(whole)+511)/512*512+1024, "header, content in whole blocks, end")
			files := tar.NewReader(&layer)
			header, err := files.Next()
			assert.NilError(t, err)
			assert.Equal(t, header.Name, "docker-ucp-agent")
			assert.Equal(t, header.Typeflag, byte(tar.TypeReg))
			assert.Equal(t, header.FileInfo().Mode(), fs.FileMode(0o755))
			assert.Equal(t, header.Uid+header.Gid, 0)
			content, err := io.ReadAll(files)
			assert.NilError(t, err)
			assert.Check(t, bytes.Equal(content, whole))
			_, err = files.Next()
			assert.ErrorIs(t, err, io.EOF, "one file and a proper end")
		})
	}
}

func TestAnImageThatAnEarlierRunLeftIsUsed(t *testing.T) {
	program := programFor(t, elf.EM_X86_64)
	answers := importing(t, program, nil)
	delete(answers, "POST /images/create")
	answers["GET /images/"+nameOf(program)+"/json"] = answer(http.StatusOK, `{"Id":"sha256:1"}`)
	eng, _ := serve(t, engine.OldestAPI, answers)
	image, err := eng.ImportAgent(t.Context(), programFile(t, program))
	assert.NilError(t, err)
	assert.Equal(t, image, nameOf(program))
}

func TestAnImportThatFailsIsAnErrorHoweverTheEngineSaysIt(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		words  string
	}{
		"inside a stream that began well": {
			answer(http.StatusOK, `{"status":"Importing"}`+"\n"+`{"errorDetail":{"message":"no space left on device"},"error":"no space left on device"}`),
			"import the agent's image: no space left on device",
		},
		"by the status":          {refusal(http.StatusInternalServerError, "ill"), "import the agent's image: "},
		"a stream that breaks":   {answer(http.StatusOK, `{"status":"Impor`), "import the agent's image: read the engine's answer: "},
		"a page of some proxy's": {answer(http.StatusOK, `<html>`), "import the agent's image: read the engine's answer: "},
		"a connection that breaks": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK)
			assert.Check(t, http.NewResponseController(w).Flush())
			panic(http.ErrAbortHandler)
		}, "import the agent's image: read the engine's answer: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			program := programFor(t, elf.EM_X86_64)
			eng, _ := serve(t, newest, importing(t, program, test.answer))
			image, err := eng.ImportAgent(t.Context(), programFile(t, program))
			assert.ErrorContains(t, err, test.words)
			assert.Equal(t, image, nameOf(program), "it may be there all the same")
		})
	}
}

func TestAProgramThatCannotBeTheAgentIsRefused(t *testing.T) {
	const onAMD64 = "run the docker-ucp built for linux/amd64, for example on the manager itself"
	tests := map[string]struct {
		program     []byte
		os, arch    string
		words, hint string
	}{
		"no Linux program": {
			[]byte("\xcf\xfa\xed\xfe a program of macOS"), "linux", "amd64",
			"this program is not for linux/amd64, where the agent must run", onAMD64,
		},
		"an empty file": {nil, "linux", "amd64", "this program is not for linux/amd64, where the agent must run", onAMD64},
		"another machine": {
			programFor(t, elf.EM_AARCH64), "linux", "amd64",
			"this program is for linux/arm64, and the agent must run on linux/amd64", onAMD64,
		},
		"a machine that nobody heard of": {
			programFor(t, elf.EM_RISCV), "linux", "amd64",
			"this program is for linux/riscv, and the agent must run on linux/amd64", onAMD64,
		},
		"an engine on Windows": {
			programFor(t, elf.EM_X86_64), "windows", "amd64",
			"this program is for linux/amd64, and the agent must run on windows/amd64",
			"run the docker-ucp built for windows/amd64, for example on the manager itself",
		},
		"linked dynamically": {
			programFor(t, elf.EM_X86_64, elf.PT_LOAD, elf.PT_INTERP), "linux", "amd64",
			"this program is linked dynamically and cannot run in an empty image", "build it with: make build",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			eng, _ := serve(t, newest, map[string]http.HandlerFunc{"GET /version": document(t, types.Version{Os: test.os, Arch: test.arch})})
			image, err := eng.ImportAgent(t.Context(), programFile(t, test.program))
			assert.Error(t, err, test.words)
			assert.Equal(t, image, "")
			assert.Equal(t, failure.KindOf(err), failure.Refused)
			assert.DeepEqual(t, failure.Hints(err), []string{test.hint})
		})
	}
}

func TestTheMachinesThatEnginesRunOn(t *testing.T) {
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "s390x": elf.EM_S390, "ppc64le": elf.EM_PPC64, "arm": elf.EM_ARM} {
		t.Run(arch, func(t *testing.T) {
			program := programFor(t, machine)
			answers := importing(t, program, answer(http.StatusOK, "{}"))
			answers["GET /version"] = document(t, types.Version{Os: "linux", Arch: arch})
			eng, _ := serve(t, newest, answers)
			_, err := eng.ImportAgent(t.Context(), programFile(t, program))
			assert.NilError(t, err)
		})
	}
}

func TestWhatKeepsTheImageFromBeingMadeIsNamed(t *testing.T) {
	program := programFor(t, elf.EM_X86_64)
	eng, asked := serve(t, newest, importing(t, program, nil))
	_, err := eng.ImportAgent(t.Context(), t.TempDir()+"/none")
	assert.Check(t, errors.Is(err, fs.ErrNotExist))
	assert.ErrorContains(t, err, "read this program to make the agent's image: ")

	asked.answers["GET /images/"+nameOf(program)+"/json"] = refusal(http.StatusInternalServerError, "ill")
	_, err = eng.ImportAgent(t.Context(), programFile(t, program))
	assert.ErrorContains(t, err, "look for image "+nameOf(program)+": ")

	asked.answers["GET /version"] = refusal(http.StatusInternalServerError, "ill")
	_, err = eng.ImportAgent(t.Context(), programFile(t, program))
	assert.ErrorContains(t, err, "ask the engine for its platform: ")
}
