package verify

import (
	"bytes"
	"fmt"
)

// looksLike tells what a file is that is no archive, so that who has named the
// wrong one sees it; or which program takes off what stands around it.
func looksLike(head []byte) string {
	for _, kind := range []struct{ magic, name, unpack string }{
		{"\xfd7zXZ\x00", "packed with xz", "xz -dc"},
		{"\x28\xb5\x2f\xfd", "packed with zstd", "zstd -dc"},
		{"BZh", "packed with bzip2", "bzip2 -dc"},
		{"\x04\x22\x4d\x18", "packed with lz4", "lz4 -dc"},
		{"PK\x03\x04", "a zip file", ""},
		{"-----BEGIN PGP PUBLIC KEY", "an OpenPGP key", ""},
		{"-----BEGIN PGP PRIVATE KEY", "an OpenPGP key", ""},
		{"-----BEGIN PGP SIGN", "an OpenPGP signature", ""},
		{"-----BEGIN ", "a key or a certificate", ""},
	} {
		switch {
		case !bytes.HasPrefix(head, []byte(kind.magic)):
		case kind.unpack == "":
			return "it is " + kind.name
		default:
			return fmt.Sprintf("it is %s: %s FILE | docker ucp verify -", kind.name, kind.unpack)
		}
	}
	if len(head) > 0 && !bytes.ContainsFunc(head, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }) {
		return "it looks like text"
	}
	return "it is nothing that is known here"
}
