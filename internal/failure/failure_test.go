package failure_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

func of(kind failure.Kind) error { return &failure.Error{Kind: kind, Cause: io.ErrUnexpectedEOF} }

func TestTheKindIsFoundThroughWrapsAndJoins(t *testing.T) {
	plain := errors.New("disk is full")
	refused := failure.Refuse(plain, "")
	tests := map[string]struct {
		err  error
		want failure.Kind
	}{
		"no error":                         {nil, failure.Failed},
		"an error without a kind":          {plain, failure.Failed},
		"bare":                             {refused, failure.Refused},
		"wrapped once":                     {fmt.Errorf("back up: %w", refused), failure.Refused},
		"wrapped twice":                    {fmt.Errorf("a: %w", fmt.Errorf("b: %w", refused)), failure.Refused},
		"joined before another":            {errors.Join(refused, plain), failure.Refused},
		"joined behind another":            {errors.Join(plain, refused), failure.Refused},
		"two wrapped at once":              {fmt.Errorf("%w, and %w", plain, refused), failure.Refused},
		"a join inside a wrap":             {fmt.Errorf("a: %w", errors.Join(plain, refused)), failure.Refused},
		"inside an error without kind":     {failure.WithHint(refused, "try again"), failure.Refused},
		"inside an error that says failed": {&failure.Error{Kind: failure.Failed, Cause: refused}, failure.Refused},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, failure.KindOf(test.err), test.want)
		})
	}
}

func TestTheGravestKindWinsInEveryOrder(t *testing.T) {
	fromGravest := []failure.Kind{
		failure.Attention, failure.Damaged, failure.Locked, failure.Refused, failure.Cancelled, failure.Failed,
	}
	for i, graver := range fromGravest {
		for _, lighter := range fromGravest[i:] {
			assert.Equal(t, failure.KindOf(errors.Join(of(graver), of(lighter))), graver)
			assert.Equal(t, failure.KindOf(errors.Join(of(lighter), of(graver))), graver)
			assert.Equal(t, failure.KindOf(&failure.Error{Kind: lighter, Cause: of(graver)}), graver)
			assert.Equal(t, failure.KindOf(&failure.Error{Kind: graver, Cause: of(lighter)}), graver)
		}
	}
}

func TestEachConstructorMakesItsKindAndKeepsTheCause(t *testing.T) {
	cause := io.ErrUnexpectedEOF
	tests := map[string]struct {
		err  error
		kind failure.Kind
		hint []string
	}{
		"Refuse":         {failure.Refuse(cause, "docker ucp version"), failure.Refused, []string{"docker ucp version"}},
		"NeedsAttention": {failure.NeedsAttention(cause, "docker start ucp-kv"), failure.Attention, []string{"docker start ucp-kv"}},
		"Lock":           {failure.Lock(cause, "--identity FILE"), failure.Locked, []string{"--identity FILE"}},
		"Cancel":         {failure.Cancel(cause), failure.Cancelled, nil},
		"WithHint":       {failure.WithHint(cause, "try again"), failure.Failed, []string{"try again"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, failure.KindOf(test.err), test.kind)
			assert.DeepEqual(t, failure.Hints(test.err), test.hint)
			assert.ErrorIs(t, test.err, cause)
			assert.Equal(t, test.err.Error(), cause.Error(), "the hint is no part of the text")
		})
	}
}

func TestHintsComeOutermostFirstAndOnce(t *testing.T) {
	inner := failure.Refuse(io.EOF, "inner")
	left := failure.NeedsAttention(io.EOF, "left")
	tests := map[string]struct {
		err  error
		want []string
	}{
		"no error":          {nil, nil},
		"none":              {io.EOF, nil},
		"an empty hint":     {failure.Refuse(io.EOF, ""), nil},
		"one inside other":  {failure.WithHint(fmt.Errorf("a: %w", inner), "outer"), []string{"outer", "inner"}},
		"joined":            {errors.Join(inner, io.EOF, left), []string{"inner", "left"}},
		"the same one, two": {errors.Join(inner, fmt.Errorf("b: %w", inner)), []string{"inner"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.DeepEqual(t, failure.Hints(test.err), test.want)
		})
	}
}
