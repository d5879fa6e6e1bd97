// Package etcd answers, without an etcd, whether what one left behind is whole:
// its database (member/snap/db, or a v3 snapshot with its hash), its log
// (member/wal) and its raft snapshots (member/snap/*.snap).
//
// The database is a file of bbolt. Beyond what bbolt's own check looks at, the
// elements of a page must lie one behind the other as bbolt writes them, and
// every record of a key must be one that etcd can read when it starts. Values
// carry no checksum: a byte that has changed within one is not found.
//
// The log and the raft snapshots carry CRC-32C throughout and are judged as
// they pass by. Where etcd drops an unfinished record when it starts, Segment
// says Torn. Where etcd would call a record unfinished though its head shows
// that its length was changed later, it is damage here.
//
// It is not done with etcd's libraries, because bbolt maps the file, so that
// what a program holds grows with the database, and panics on a damaged page,
// while etcd's package wal wants a folder and keeps every entry. Measured:
// bbolt's check of 1.4 GB holds 1.4 GB, etcd's reading of a log of 320 MB 400
// MB, and this package 8 MB for either. It holds two bits a page, and one page
// for each level of the tree.
package etcd
