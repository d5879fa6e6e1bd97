// Package seal keeps an archive secret as an OpenPGP message, in two halves
// that need not run on the same machine.
//
// Where the operator sits, a session key is drawn and locked: Lock.Packets
// makes one packet for the passphrase and one for each public key. Where the
// data is, NewWriter needs only these packets and the session key, which is
// good for this one message.
//
// The library (ProtonMail/go-crypto) does what is delicate: stretching the
// passphrase, public keys, session-key packets. The packet that holds the data
// is written here, since a backup keeps UCP down for as long as it takes: large
// chunks, and hashing, encrypting and writing each on a goroutine of its own.
// docs/seal.md tells the format and why it is this one.
//
// Not promised: that the length of the data stays hidden, that a message has a
// sender (nothing is signed), and that the memory which held a key is wiped
// everywhere; what Go's runtime has copied is out of reach.
package seal
