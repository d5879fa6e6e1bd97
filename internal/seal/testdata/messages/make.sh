#!/bin/sh
# Made once with GnuPG 1.4 and 2.2: one text, sealed in many ways for the
# passphrase in text.passphrase, or for the keys of ../keys.
set -eu
cd "$(dirname "$0")"
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
trap 'gpgconf --kill gpg-agent; rm -rf "$GNUPGHOME"' EXIT
awk 'BEGIN { for (i = 0; i < 400; i++) print i, "the quick brown fox jumps over the lazy dog" }' > text
printf 'correct horse battery staple' > text.passphrase

old() { name=$1; shift; gpg1 --batch --yes --quiet --no-tty --passphrase-file text.passphrase --output "gpg1-$name.pgp" "$@"; }
new() { name=$1; shift; gpg --batch --yes --quiet --no-tty --trust-model always --pinentry-mode loopback --passphrase-file text.passphrase --output "gpg2-$name.pgp" "$@"; }

old default --symmetric text
old aes256-plain --cipher-algo AES256 --compress-algo none --symmetric text
old cast5-zip --cipher-algo CAST5 --compress-algo zip --force-mdc --symmetric text
old s2k-simple --s2k-mode 0 --cipher-algo AES256 --symmetric text
old s2k-salted-md5 --s2k-mode 1 --s2k-digest-algo MD5 --cipher-algo AES192 --symmetric text
old 3des-bzip2-armor --cipher-algo 3DES --compress-algo bzip2 --force-mdc --armor --symmetric text
old twofish --cipher-algo TWOFISH --symmetric text
old without-mdc --cipher-algo CAST5 --disable-mdc --symmetric text
old without-mdc-plain --rfc2440 --cipher-algo AES256 --compress-algo none --disable-mdc --symmetric text
old without-mdc-stream --rfc2440 --cipher-algo CAST5 --compress-algo none --disable-mdc --symmetric < text

gpg --batch --quiet --import ../keys/rsa.secret.pgp ../keys/curve25519.secret.pgp
new fixed-length --compress-algo none --symmetric text
new partial-length --compress-algo none --symmetric < text
new rsa --recipient rsa@example.com --encrypt text
new curve25519-hidden --throw-keyids --recipient curve25519@example.com --encrypt text
new signed --local-user rsa@example.com --sign --recipient curve25519@example.com --encrypt text
new key-and-passphrase --recipient rsa@example.com --symmetric --encrypt text
new rfc4880-armor --rfc4880 --armor --symmetric text
new not-encrypted --store text
