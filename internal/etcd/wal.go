package etcd

import (
	"encoding/binary"
	"math"
)

// WAL reads one file of etcd's log while it is written to it. Nothing that it
// is given makes Write or Close fail; the verdict is Segment's.
type WAL struct {
	segment Segment
	verdict error
	ended   walEnd
	offset  int64 // in the file, of what comes next
	frame   []byte
	end     int64 // of the records, once ended
	number  int64 // of the record, from 1
	record  record
	reader  recordReader
}

// walEnd is why no more records are read.
type walEnd int

const (
	stillReading walEnd = iota
	endOfRecords        // the room that etcd made ahead follows
	tornOff             // a record that was not finished
)

// NewWAL takes the file's name without its folder, SEQUENCE-INDEX.wal.
func NewWAL(name string) *WAL {
	w := &WAL{segment: Segment{Name: name}}
	w.segment.Sequence, w.verdict = sequenceOf(name)
	w.reader.segment = &w.segment
	return w
}

// Write implements io.Writer. It never fails.
func (w *WAL) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0 && w.verdict == nil && w.ended != tornOff; {
		n := w.take(rest)
		w.offset += int64(n)
		rest = rest[n:]
	}
	return len(p), nil
}

func (w *WAL) take(p []byte) int {
	switch {
	case w.ended == endOfRecords:
		return w.behind(p)
	case len(w.frame) < frameSize:
		n := min(frameSize-len(w.frame), len(p))
		if w.frame = append(w.frame, p[:n]...); len(w.frame) == frameSize {
			w.begin(w.offset + int64(n) - frameSize)
		}
		return n
	}
	n := w.record.take(p)
	if w.record.done() {
		w.finish()
		w.frame = w.frame[:0]
	}
	return n
}

// begin reads a frame: the record's length in 56 bits, and above it how much
// padding follows, marked by the highest bit. Nothing at all is the end.
func (w *WAL) begin(start int64) {
	frame := binary.LittleEndian.Uint64(w.frame)
	if frame == 0 {
		w.ended, w.end = endOfRecords, start
		return
	}
	w.number++
	size, top := int64(frame&(math.MaxUint64>>8)), frame>>56
	pad := int64(top & 0x7f)
	if top != 0 && (top&0x80 == 0 || pad == 0 || pad >= frameSize || (size+pad)%frameSize != 0) || size == 0 {
		w.verdict = damaged("record %d, at offset %d: its length %#x is none that etcd writes", w.number, start, frame)
		return
	}
	w.record.begin(start, size, pad, w.segment.LastCRC)
}

// finish judges a record that was read to its end.
func (w *WAL) finish() {
	r := &w.record
	switch {
	case r.odd != "":
		w.broken(r.odd)
	case r.kind != kindCRC && r.sum != r.crc:
		w.broken("its checksum is wrong")
	case r.padded:
		w.verdict = damaged("record %d, at offset %d: its padding holds something", w.number, r.start)
	default:
		if odd := w.reader.read(r); odd != "" {
			w.verdict = damaged("record %d, at offset %d: %s", w.number, r.start, odd)
		}
	}
}

// broken tells what is left of a write that was not finished from damage.
func (w *WAL) broken(odd string) {
	if w.record.unfinished() {
		w.ended, w.segment.Torn = tornOff, true
		return
	}
	w.verdict = damaged("record %d, at offset %d: %s", w.number, w.record.start, odd)
}

// behind looks at the room behind the last record. What a torn write left there
// lies in sectors of its own: the one in which the records end was written with
// them, and was empty behind them.
func (w *WAL) behind(p []byte) int {
	n := int(min(int64(len(p)), sector-w.offset%sector))
	for _, b := range p[:n] {
		if b == 0 {
			continue
		}
		if w.segment.Torn = true; w.offset/sector == w.end/sector {
			w.verdict = damaged("offset %d: no record begins here, and yet something follows", w.end)
		}
		break
	}
	return n
}

// Close implements io.Closer. It never fails.
func (w *WAL) Close() error {
	if w.verdict != nil {
		return nil
	}
	if w.ended == stillReading && len(w.frame) == frameSize {
		w.record.endPart(w.record.at)
		if w.record.odd != "" {
			w.broken(w.record.odd)
		}
	}
	if w.ended == stillReading && len(w.frame) > 0 {
		w.segment.Torn = true
	}
	if w.verdict == nil {
		w.verdict = w.reader.complete()
	}
	return nil
}

// Segment is what the file holds, and the verdict on it. It is called after Close.
func (w *WAL) Segment() (Segment, error) { return w.segment, w.verdict }
