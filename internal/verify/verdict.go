package verify

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/docker/go-units"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// result lets each level have its say, once everything has been read.
func (v *verification) result() *Result {
	if v.summary == nil {
		v.summary = &archive.Summary{} // the seal broke before the first byte of a tar
	}
	r := &Result{
		File: v.opts.Path, Size: v.size, Wrapped: append([]string{}, v.source.wraps...),
		Manifest: v.summary.Manifest, Era: v.era(), Volumes: []Volume{}, Certificates: []Certificate{},
		Entries: v.summary.Entries, Files: v.summary.Files, Bytes: v.summary.Bytes,
	}
	v.judgeSeal()
	v.judgeTar(r)
	v.describe(r)
	if v.summary.Complete {
		v.judgeUCP(r)
	} else {
		v.watch.stores.handTo(v.ucp) // what was seen is wrong, whatever would have followed
	}
	r.Levels = []Level{
		v.sealedLevel(),
		v.tar.close(v.summary.Complete, "the seal is not right, so its content is not believed"),
		v.ucp.close(v.summary.Complete, "the tar could not be read to its end"),
	}
	r.Verdict = overall(r.Levels)
	r.Words = v.words(r)
	return r
}

func (v *verification) era() Era {
	if v.summary.Manifest != nil {
		return EraOurs
	}
	return v.watch.rules.era()
}

// sealedLevel is the level's verdict, which an archive without a seal has not.
func (v *verification) sealedLevel() Level {
	done := v.sealed.close(true, "")
	if v.source.message == nil && done.Verdict == Sound {
		done.Verdict, done.Summary = NotSealed, "no OpenPGP message"
	}
	if done.Verdict == NotSealed && v.summary.Entries > 0 {
		done.Summary = "whoever reads the archive holds UCP's keys, and whoever writes to it can change it unnoticed"
	}
	return done
}

func (v *verification) judgeSeal() {
	m := v.source.message
	if m == nil {
		return
	}
	v.sealed.sound = m.Describe() + "; modification detection right, nothing follows"
	if !m.Protected() {
		v.sealed.fault("", "the message has no modification detection, so nobody can say whether it is whole; gpg opens it with --ignore-mdc-error")
	}
	if v.summary.Manifest == nil {
		return
	}
	if v.summary.Manifest.Seal.LocksSHA256 == "" {
		v.sealed.note("", "the archive does not say for whom it was locked, as this release writes it: a lock that somebody else needs may be damaged or missing")
		return
	}
	if digest := m.LocksDigest(); hex.EncodeToString(digest[:]) != v.summary.Manifest.Seal.LocksSHA256 {
		v.sealed.fault("", "the locks at the message's head are not those it was made with: the key used here opens it, another may not any more")
	}
}

// trailing says what stands behind a message that is right, and how to get at it.
func (v *verification) trailing(err error) {
	v.sealed.fault("", "%s", err)
	if offset, found := seal.TrailingAt(err); found {
		v.sealed.note("", "%s", v.cut(offset, len(v.source.wraps) > 1 && v.source.wraps[0] == wrapGzip))
	}
}

// cut is the command that verifies what begins at an offset of the file, or of
// what gzip holds.
func (v *verification) cut(offset int64, unpack bool) string {
	file := v.opts.Path
	if file == "" {
		file = "FILE"
	}
	file = failure.Quote(file)
	if unpack {
		return fmt.Sprintf("look at it with: gunzip < %s | tail -c +%d | docker ucp verify -", file, offset+1)
	}
	return fmt.Sprintf("look at it with: tail -c +%d %s | docker ucp verify -", offset+1, file)
}

func (v *verification) judgeTar(r *Result) {
	s := v.summary
	v.unsafe = s.Complete && len(s.Problems) > 0 && s.More == 0
	if s.Entries == 0 && !s.Complete && v.source.looks != "" {
		v.tar.fault("", "no tar, and no OpenPGP message: %s", v.source.looks)
		return
	}
	for _, problem := range s.Problems {
		v.tar.fault(problem.Entry, "%s", problem.Text)
		v.unsafe = v.unsafe && problem.Unsafe
	}
	v.watch.kept.handTo(v.tar)
	v.tar.more, v.tar.faults = v.tar.more+s.More, v.tar.faults+s.More
	if s.Second > 0 && v.source.message == nil {
		v.tar.note("", "%s", v.cut(s.Second, len(r.Wrapped) > 0))
	}
	size := fmt.Sprintf("%s, %s; ", counted(s.Entries, "entry", "entries"), units.HumanSize(float64(s.Bytes)))
	switch {
	case s.Manifest != nil && s.HeadersProven:
		v.tar.sound = size + "complete, every byte as it was written"
	case s.Manifest != nil && s.Complete:
		v.tar.sound = size + "complete, every file's checksum right"
		v.tar.note("", "the archive has no checksum of its headers, as this release writes it: a changed owner, mode or time would not be noticed in a plain copy")
	case s.Manifest == nil:
		v.tar.sound = size + "reads through to its end"
		if r.Era == EraStopped || r.Era == EraOnline {
			v.unproven()
		}
	}
}

func counted(n int64, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// unproven says what nobody can know of an archive that carries no checksums.
func (v *verification) unproven() {
	if v.source.message != nil && v.source.message.Protected() {
		v.tar.note("", "the vendor's archives carry no checksums: the seal says that this is what was sealed, not that it was all there then")
		return
	}
	seal := "this one has no seal"
	if v.source.message != nil {
		seal = "the seal of this one proves nothing"
	}
	v.tar.note("", "the vendor's archives carry no checksums, and "+seal+": a byte changed inside a file can only be noticed "+
		"where the file itself shows it, as databases and certificates do")
}

// describe tells what the archive says of itself, be it whole or not.
func (v *verification) describe(r *Result) {
	r.Volumes = append(r.Volumes, v.watch.rules.volumes()...)
	r.License = v.watch.rules.license(r.Era)
	if m := r.Manifest; m != nil {
		created := m.Created
		r.Created, r.Node, r.Version, r.InstanceID = &created, m.Node.Name, m.UCP.Version, m.UCP.InstanceID
	}
}

func (v *verification) judgeUCP(r *Result) {
	w := v.watch
	v.ucp.sound = "what a restore needs is there, and is what it claims to be"
	w.rules.judge(v.ucp, r.Era, r.Manifest)
	if r.Era == EraNone {
		return
	}
	r.Version, r.InstanceID = w.records.judge(v.ucp, r.Era, r.Manifest)
	r.Certificates = append(r.Certificates, w.certificates.judge(v.ucp, r.Era, v.opts.Now)...)
	r.Etcd = w.stores.judge(v.ucp, r.Era)
}

// overall is the gravest verdict of all levels.
func overall(levels []Level) Verdict {
	verdict := Sound
	for _, l := range levels {
		switch l.Verdict {
		case Unsound:
			return Unsound
		case NotJudged:
			return Unsound // what could not be looked at is not proven good
		case SoundWithWarnings:
			verdict = SoundWithWarnings
		case Sound, NotSealed:
		}
	}
	return verdict
}

// words is the verdict in a sentence.
func (v *verification) words(r *Result) string {
	subject := "the backup"
	if r.Version != "" {
		subject += " of UCP " + r.Version
	}
	for _, l := range r.Levels {
		if l.Verdict != Unsound {
			continue
		}
		switch {
		case l.Name == LevelTar && r.Entries == 0 && v.source.looks != "":
			return "this is no backup: " + l.Summary
		case l.Name == LevelTar && v.unsafe:
			return "the archive is whole, but not safe to extract: " + l.Summary
		case l.Name != LevelUCP:
			return fmt.Sprintf("the archive is damaged or incomplete: %s: %s", l.Name, l.Summary)
		case r.Era == EraNone:
			return "the archive is sound, but it is " + l.Summary
		default:
			return "the archive is sound, but " + subject + " in it is not complete: " + l.Summary
		}
	}
	if r.Verdict == Unsound { // some level was not judged, and none says why
		return "the archive could not be judged to its end"
	}
	if r.Verdict == SoundWithWarnings {
		return subject + " is sound; read the warnings"
	}
	return subject + " is sound"
}

// damaged is the error beside an unsound result.
func (v *verification) damaged(r *Result) error {
	hint := "" // of a whole archive: its words say what is wrong with it
	if v.summary.Entries > 0 && !v.unsafe && (r.Levels[0].Verdict == Unsound || r.Levels[1].Verdict == Unsound) {
		hint = "copy it again from where it was made, and compare both with sha256sum; or make a new one: docker ucp backup FILE"
	}
	return &failure.Error{Kind: failure.Damaged, Cause: errors.New(v.name() + ": " + r.Words), Hint: hint}
}
