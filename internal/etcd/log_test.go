package etcd

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// logWriter writes a file of the log as etcd does.
type logWriter struct {
	bytes.Buffer
	crc uint32
}

func varint(number, value uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, number<<3), value)
}

func block(number uint64, b []byte) []byte {
	return append(binary.AppendUvarint(binary.AppendUvarint(nil, number<<3|wireBytes), uint64(len(b))), b...)
}

func (l *logWriter) record(kind uint64, data ...[]byte) *logWriter {
	all := bytes.Join(data, nil)
	l.crc = crc32.Update(l.crc, castagnoli, all)
	body := append(varint(1, kind), varint(2, uint64(l.crc))...)
	if len(all) > 0 {
		body = append(body, block(3, all)...)
	}
	frame := uint64(len(body))
	if pad := (8 - len(body)%8) % 8; pad > 0 {
		frame |= uint64(0x80|pad) << 56
		body = append(body, make([]byte, pad)...)
	}
	_, _ = l.Write(binary.LittleEndian.AppendUint64(nil, frame)) // a buffer takes all
	_, _ = l.Write(body)                                         // see above
	return l
}

func (l *logWriter) entry(term, index uint64, data string) *logWriter {
	return l.record(kindEntry, varint(1, 0), varint(2, term), varint(3, index), block(4, []byte(data)))
}

func (l *logWriter) state(term, commit uint64) *logWriter {
	return l.record(kindState, varint(1, term), varint(2, 9), varint(3, commit))
}

func (l *logWriter) mark(term, index uint64) *logWriter {
	return l.record(kindSnapshot, varint(1, index), varint(2, term), block(3, make([]byte, 200)))
}

// newLog begins a file behind another one that ends with crc.
func newLog(crc uint32) *logWriter {
	l := &logWriter{crc: crc}
	return l.record(kindCRC).record(kindMetadata, varint(1, 0xabc), varint(2, 0xdef))
}

const firstName = "0000000000000000-0000000000000000.wal"

func TestLogRecordsMayFollowEachOther(t *testing.T) {
	for name, test := range map[string]struct {
		log  *logWriter
		want string // empty when they may
	}{
		"entries one behind the other":           {newLog(0).entry(1, 1, "a").entry(1, 2, "b").state(1, 2), ""},
		"a new leader replaces what was lost":    {newLog(0).entry(1, 1, "a").entry(1, 2, "b").state(1, 1).entry(2, 2, "c"), ""},
		"an older term behind what it replaces":  {newLog(0).entry(1, 1, "").entry(3, 2, "").entry(2, 2, ""), ""},
		"a gap behind a received snapshot":       {newLog(0).entry(1, 1, "a").mark(2, 10).state(2, 10).entry(2, 11, "b"), ""},
		"an entry larger than what is held":      {newLog(0).entry(1, 1, strings.Repeat("x", 100_000)), ""},
		"no entries":                             {newLog(0), ""},
		"an entry is left out":                   {newLog(0).entry(1, 1, "a").entry(1, 3, "b"), "record 4, at offset 72: entry 3 follows entry 1"},
		"a committed entry is replaced":          {newLog(0).entry(1, 1, "a").state(1, 1).entry(2, 1, "b"), "replaces an entry that is committed"},
		"the term of an entry goes back":         {newLog(0).entry(2, 1, "a").entry(1, 2, "b"), "its term is older"},
		"the state goes back":                    {newLog(0).state(2, 5).state(2, 4), "goes back behind the state"},
		"more is committed than there is":        {newLog(0).entry(1, 1, "a").state(1, 2), "entries up to 2 are committed, and the log ends with entry 1"},
		"metadata of another member":             {newLog(0).record(kindMetadata, varint(1, 1), varint(2, 0xdef)), "names another member"},
		"metadata without a cluster":             {newLog(0).record(kindMetadata, varint(1, 0xabc)), "names another member"},
		"an entry of no kind":                    {newLog(0).record(kindEntry, varint(1, 9), varint(2, 1), varint(3, 1)), "not an entry"},
		"an entry whose data is too short":       {newLog(0).record(kindEntry, varint(1, 0), varint(2, 1), varint(3, 1), []byte{0x22, 9, 1}), "not an entry"},
		"a state without the last of its fields": {newLog(0).record(kindState, varint(1, 1), varint(2, 1)), "not a state"},
		"a state with more than there can be":    {newLog(0).record(kindState, make([]byte, 500)), "too much data"},
		"a snapshot's mark without a place":      {newLog(0).record(kindSnapshot, []byte{8}), "not the mark"},
		"a record of an unknown kind":            {newLog(0).record(6, []byte{1}), "its kind is unknown"},
		"another checksum of what lies before":   {newLog(0).record(kindCRC, []byte{1}), "another checksum"},
		"no checksum at the beginning":           {(&logWriter{}).record(kindMetadata, varint(1, 1), varint(2, 2)), "does not begin with the checksum"},
		"no metadata":                            {(&logWriter{}).record(kindCRC).state(1, 0), "whose log it is"},
		"nothing at all":                         {&logWriter{}, "holds no record"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readSegment(t, firstName, test.log.Bytes(), 4096)
			if test.want == "" {
				assert.NilError(t, err)
				return
			}
			assert.ErrorContains(t, err, test.want)
			assert.ErrorIs(t, err, ErrDamaged)
		})
	}
}

func TestUnfinishedWritesAreToldFromDamage(t *testing.T) {
	begin := newLog(0).entry(1, 1, "a")
	start := begin.Len() // of the last record
	whole := begin.entry(1, 2, strings.Repeat("x", 3000)).Bytes()
	room := append(bytes.Clone(whole), make([]byte, 8192)...)
	change := func(b []byte, at int, with ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], with)
		return b
	}
	for name, test := range map[string]struct {
		file []byte
		torn bool
		want string
	}{
		"nothing is wrong":                         {whole, false, ""},
		"the room ahead is empty":                  {room, false, ""},
		"a sector within the last record is lost":  {change(room, 1024, zeros[:]...), true, ""},
		"its first sector is lost":                 {change(room, start+8, make([]byte, sector-start-8)...), true, ""},
		"the file ends within it":                  {whole[:2000], true, ""},
		"the file ends within its frame":           {whole[:start+5], true, ""},
		"its beginning is lost, and the file ends": {append(bytes.Clone(whole[:start+8]), make([]byte, 200)...), true, ""},
		"a sector far behind the end is not lost":  {change(room, len(whole)+2048, 1), true, ""},
		"a byte of it has changed":                 {change(room, 1024, 'y'), false, "record 4, at offset 72: its checksum is wrong"},
		"half a sector is lost":                    {change(room, 1024, zeros[:256]...), false, "its checksum is wrong"},
		"its length reaches into the empty room":   {change(room, start+1, 0x1f), false, "its length and that of its data do not agree"},
		"its length reaches behind the file":       {change(room, start+5, 1), false, "do not agree"},
		"its length is none":                       {change(room, start+7, 0xff), false, "is none that etcd writes"},
		"it has no length, and content":            {change(room, start, zeros[:8]...), false, "no record begins here"},
		"its padding holds something":              {change(room, len(whole)-1, 1), false, "its padding holds something"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := readSegment(t, firstName, test.file, 1000)
			if test.want != "" {
				assert.ErrorContains(t, err, test.want)
				return
			}
			assert.NilError(t, err)
			assert.Equal(t, s.Torn, test.torn)
		})
	}
}

func TestLogNamesItsFiles(t *testing.T) {
	s, err := readSegment(t, "00000000000000ff-0000000000000001.wal", newLog(7).Bytes(), 100)
	assert.NilError(t, err)
	assert.Equal(t, s.Sequence, uint64(0xff))
	for _, name := range []string{"", ".wal", "0.tmp", "0000000000000000-0000000000000000", "ff-1.wal", "000000000000000g-0000000000000001.wal", "0000000000000000-0000000000000000.wal.broken"} {
		_, err := readSegment(t, name, newLog(0).Bytes(), 100)
		assert.ErrorContains(t, err, "is not the name of a file of the log")
	}
}

func TestLogClaimsTakeNoMemory(t *testing.T) {
	const claim = 1 << 55 // of the 56 bits that a length has
	body := append(append(varint(1, kindEntry), varint(2, 1)...), 3<<3|wireBytes)
	body = binary.AppendUvarint(body, claim-uint64(len(body))-8)
	file := binary.LittleEndian.AppendUint64(newLog(0).Bytes(), claim)
	file = append(append(file, body...), bytes.Repeat([]byte{1}, 4<<20)...)
	bounded(t, 1<<20, func() {
		s, err := readSegment(t, firstName, file, 64<<10)
		assert.NilError(t, err)
		assert.Assert(t, s.Torn, "it agrees with itself, and the file ends before it")
	})
}
