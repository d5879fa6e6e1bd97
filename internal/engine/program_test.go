package engine_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

// programFor returns an ELF file that is nothing but headers, and a tail so that its size is no whole block.
func programFor(t *testing.T, machine elf.Machine, segments ...elf.ProgType) []byte {
	t.Helper()
	var file bytes.Buffer
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: uint16(len(segments)), Shentsize: 64,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	assert.NilError(t, binary.Write(&file, binary.LittleEndian, header))
	for _, segment := range segments {
		assert.NilError(t, binary.Write(&file, binary.LittleEndian, elf.Prog64{Type: uint32(segment)}))
	}
	file.WriteString("the rest of the program")
	return file.Bytes()
}

// programFile writes a program to a file and returns its path.
func programFile(t *testing.T, program []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "docker-ucp")
	assert.NilError(t, os.WriteFile(path, program, 0o700))
	return path
}
