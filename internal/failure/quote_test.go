package failure_test

import (
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

func TestAQuotedWordIsOneWordToAShell(t *testing.T) {
	for word, want := range map[string]string{
		"/backup/ucp.tar.part":      "/backup/ucp.tar.part",
		"isf0dbkbykcrvkiu96yshx1eg": "isf0dbkbykcrvkiu96yshx1eg",
		"6BID:R7QS":                 "6BID:R7QS",
		"":                          "''",
		"-rf":                       "'-rf'",
		"/backup/ucp tar.part":      "'/backup/ucp tar.part'",
		"/it's/$(here)":             `'/it'\''s/$(here)'`,
	} {
		assert.Equal(t, failure.Quote(word), want)
	}
}
