package tap

import (
	"net/http"
	"strings"
)

// Call matches a method and how the path ends, such as POST and "/stop".
func Call(method, suffix string) Match {
	return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, suffix) }
}

// Any matches what one of several does.
func Any(matches ...Match) Match {
	return func(r *http.Request) bool {
		for _, match := range matches {
			if match(r) {
				return true
			}
		}
		return false
	}
}

// Nth matches the n-th call that matches, counted from 1, and no other.
func Nth(n int, match Match) Match {
	seen := 0
	return func(r *http.Request) bool {
		if !match(r) {
			return false
		}
		seen++
		return seen == n
	}
}

// After matches what match does once a call came that first matches.
func After(first, match Match) Match {
	came := false
	return func(r *http.Request) bool {
		if first(r) {
			came = true
			return false
		}
		return came && match(r)
	}
}
