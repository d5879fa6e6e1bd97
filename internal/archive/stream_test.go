package archive

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"gotest.tools/v3/assert"
)

func TestAReadErrorAtAnyByteIsReported(t *testing.T) {
	whole := sample(t)
	cause := errors.New("connection reset by peer")
	for n := 0; n <= len(whole); n += 61 {
		_, err := Check(io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(cause)), nil)
		assert.ErrorIs(t, err, cause, "byte %d", n)
	}
}

// TestASourceThatHasFailedIsReportedBesideAProblem reads a source that fails
// together with its last bytes, in which something is wrong too: the seal of a
// damaged archive does.
func TestASourceThatHasFailedIsReportedBesideAProblem(t *testing.T) {
	members := takeApart(t, sample(t))
	ours := putTogether(t, append(members, members[atContainer]))
	cause := errors.New("the message is damaged")
	for name, archive := range map[string][]byte{
		"of ours":       ours[:len(ours)-3*blockSize], // up to the last header, which should not be there
		"a foreign one": putTogether(t, []member{file("/x", "")}),
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Check(iotest.DataErrReader(io.MultiReader(bytes.NewReader(archive), iotest.ErrReader(cause))), nil)
			assert.ErrorIs(t, err, cause)
			assert.Equal(t, len(s.Problems), 1, "%v", s.Problems)
		})
	}
}

// TestASourceThatFailsOnceHasFailed reads sources that end like others after
// their error.
func TestASourceThatFailsOnceHasFailed(t *testing.T) {
	whole := sample(t)
	cause := errors.New("input/output error")
	for n := 0; n <= len(whole); n += 61 {
		failures := 0
		once := readerFunc(func([]byte) (int, error) {
			if failures++; failures == 1 {
				return 0, cause
			}
			return 0, io.EOF
		})
		_, err := Check(iotest.DataErrReader(io.MultiReader(bytes.NewReader(whole[:n]), once)), nil)
		assert.ErrorIs(t, err, cause, "byte %d", n)
	}
}
