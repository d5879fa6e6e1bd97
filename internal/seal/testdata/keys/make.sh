#!/bin/sh
# Made once with GnuPG 2.2: the keys of the tests. They protect nothing.
set -eu
cd "$(dirname "$0")"
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
trap 'gpgconf --kill gpg-agent; rm -rf "$GNUPGHOME"' EXIT

make() { # name, algorithm, expiry, secret's passphrase, faked time
	printf 'Key-Type: %s\n%s\nName-Real: %s\nName-Email: %s@example.com\nExpire-Date: %s\n%s\n%%commit\n' \
		"$2" "$3" "$1" "$1" "$4" "$5" | gpg --batch --pinentry-mode loopback ${6:+--faked-system-time "$6"} --generate-key
	gpg --export "$1@example.com" > "$1.pgp"
}
secret() { gpg --batch --pinentry-mode loopback --passphrase "${2:-}" --export-secret-keys "$1@example.com" > "$1.secret.pgp"; }

rsa='Key-Length: 3072
Subkey-Type: RSA
Subkey-Length: 3072'
curve='Key-Curve: ed25519
Subkey-Type: ECDH
Subkey-Curve: Curve25519'
make rsa RSA "$rsa" 0 %no-protection
secret rsa
make curve25519 EDDSA "$curve" 0 %no-protection
secret curve25519
make protected EDDSA "$curve" 0 'Passphrase: the key is locked'
secret protected 'the key is locked'
make signonly EDDSA 'Key-Curve: ed25519' 0 %no-protection
make expired EDDSA "$curve" 1d %no-protection 20200101T000000
make revoked EDDSA "$curve" 0 %no-protection
fingerprint=$(gpg --with-colons --list-keys revoked@example.com | awk -F: '$1 == "fpr" { print $10; exit }')
sed 's/^:---/---/' "$GNUPGHOME/openpgp-revocs.d/$fingerprint.rev" | gpg --import
gpg --export revoked@example.com > revoked.pgp
gpg --armor --export rsa@example.com > two.asc
gpg --armor --export curve25519@example.com >> two.asc
