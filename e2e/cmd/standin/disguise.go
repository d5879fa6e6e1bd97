package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// disguise changes the engine's answers into what UCP makes of them: its own version, and names with the node before them.
type disguise struct {
	version string // ucp/3.1.4
	node    string
	address string
}

func newDisguise() disguise {
	return disguise{"ucp/" + os.Getenv("UCP_VERSION"), os.Getenv("UCP_NODE_NAME"), os.Getenv("UCP_HOST_ADDRESS")}
}

var versionPrefix = regexp.MustCompile(`^/v[0-9]+\.[0-9]+/`)

func versionless(path string) string { return versionPrefix.ReplaceAllString(path, "/") }

var nodeInPath = regexp.MustCompile(`^((?:/v[0-9.]+)?/(?:containers|volumes)/)([^/]+)/`)

// plain takes the node out of a request for node/name. An engine has no node, so nothing else can be meant.
func (d disguise) plain(path string) string {
	if found := nodeInPath.FindStringSubmatch(path); len(found) == 3 && found[2] == d.node {
		return found[1] + path[len(found[0]):]
	}
	return path
}

// answer returns the change for what was asked for, or nil.
func (d disguise) answer(path string) func(any) {
	path = versionless(path)
	object, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case path == "/version":
		return field(func(m map[string]any) { m["Version"] = d.version; d.component(m) })
	case path == "/info":
		return field(func(m map[string]any) { m["ServerVersion"] = d.version })
	case path == "/containers/json":
		return each(func(m map[string]any) { prefixAll(m["Names"], "/", "/"+d.node+"/") })
	case object == "containers" && strings.HasSuffix(rest, "/json") && strings.Count(rest, "/") == 1:
		return field(d.container)
	case path == "/volumes":
		return field(func(m map[string]any) { each(d.volume)(m["Volumes"]) })
	case object == "volumes" && rest != "" && !strings.Contains(rest, "/"):
		return field(d.volume)
	}
	return nil
}

func (d disguise) component(m map[string]any) {
	if list, ok := m["Components"].([]any); ok && len(list) > 0 {
		field(func(first map[string]any) {
			first["Name"], first["Version"] = "Universal Control Plane, "+layout.Banner, d.version
		})(list[0])
	}
}

func (d disguise) container(m map[string]any) {
	if name, ok := m["Name"].(string); ok {
		m["Name"] = "/" + d.node + name
	}
	m["Node"] = map[string]any{"ID": os.Getenv("UCP_NODE_ID"), "IP": d.address, "Addr": nodeAddress(layout.PortProxy), "Name": d.node}
}

func (d disguise) volume(m map[string]any) {
	if name, ok := m["Name"].(string); ok {
		m["Name"] = d.node + "/" + name
	}
}

func field(change func(map[string]any)) func(any) {
	return func(body any) {
		if m, ok := body.(map[string]any); ok {
			change(m)
		}
	}
}

func each(change func(map[string]any)) func(any) {
	return func(body any) {
		list, _ := body.([]any)
		for _, one := range list {
			field(change)(one)
		}
	}
}

func prefixAll(names any, old, with string) {
	list, _ := names.([]any)
	for i, name := range list {
		if s, ok := name.(string); ok {
			list[i] = with + strings.TrimPrefix(s, old)
		}
	}
}

// apply rewrites an answer of the engine.
func (d disguise) apply(resp *http.Response) error {
	change := d.answer(resp.Request.URL.Path)
	if change == nil || resp.Request.Method != http.MethodGet || resp.StatusCode != http.StatusOK {
		return nil
	}
	var body any
	decoder := json.NewDecoder(resp.Body)
	decoder.UseNumber()
	err := decoder.Decode(&body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("read the engine's answer: %w", err)
	}
	change(body)
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	resp.Body = io.NopCloser(bytes.NewReader(b))
	resp.ContentLength = int64(len(b))
	resp.Header.Set("Content-Length", strconv.Itoa(len(b)))
	resp.TransferEncoding = nil
	return nil
}
