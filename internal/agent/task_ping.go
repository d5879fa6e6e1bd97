package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"unicode"
)

// maxReason is what of an answer is worth repeating.
const maxReason = 200

// ping asks the controller on this container's own network whether it is well.
//
// Whose certificate answers is not looked at, as in the vendor's own "curl -k": the request never leaves the network of
// the container that is asked, bears no secret, and the answer decides only whether an operator is told to look.
func ping(ctx context.Context, port string) error {
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("read the controller's port: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+net.JoinHostPort("127.0.0.1", port)+"/_ping", http.NoBody) //nolint:gosec // a port, and nothing else, comes from outside
	if err != nil {
		return err
	}
	answer, err := (&http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, //nolint:gosec // see above
		DisableKeepAlives: true,
	}).RoundTrip(request)
	if err != nil {
		return fmt.Errorf("get %s: %w", request.URL, err)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxReason))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return fmt.Errorf("read the answer of %s: %w", request.URL, err)
	}
	words := strings.TrimSpace(string(body))
	if answer.StatusCode == http.StatusOK && words == "OK" {
		return nil
	}
	first, _, _ := strings.Cut(words, "\n")
	reason := strings.TrimSpace(fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode)))
	if first = printable(first); first != "" {
		reason += ": " + first
	}
	return fmt.Errorf("/_ping answers %s", reason)
}

// printable drops what could do something to a terminal.
func printable(words string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, words))
}
