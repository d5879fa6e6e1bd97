package backup

import (
	"bytes"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func TestLinesAreCutWhereverTheWireCutsThem(t *testing.T) {
	const text = "first\n\nthird is longer\nwithout an end"
	for size := 1; size <= len(text); size++ {
		var lines []string
		w := &lineWriter{line: func(line []byte) { lines = append(lines, string(line)) }}
		for rest := text; rest != ""; {
			piece := rest[:min(size, len(rest))]
			rest = rest[len(piece):]
			n, err := w.Write([]byte(piece))
			assert.NilError(t, err)
			assert.Equal(t, n, len(piece))
		}
		assert.DeepEqual(t, lines, []string{"first", "", "third is longer"})
	}
}

func TestALineWithoutAnEndFillsNoMemory(t *testing.T) {
	w := &lineWriter{line: func([]byte) {}}
	block := bytes.Repeat([]byte("x"), 1<<20)
	for range maxLine >> 20 {
		_, err := w.Write(block)
		assert.NilError(t, err)
	}
	_, err := w.Write([]byte("x"))
	assert.ErrorIs(t, err, errLongLine)
}

func TestOfManyWordsTheBeginningIsKept(t *testing.T) {
	var kept bytes.Buffer
	for range 10 {
		n, err := bounded{&kept}.Write([]byte(strings.Repeat("word ", 1000)))
		assert.NilError(t, err)
		assert.Equal(t, n, 5000)
	}
	assert.Equal(t, kept.Len(), maxSaid)
}
