package engine_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/volume"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/engine"
)

func TestASpoolIsOursWhenWeMadeIt(t *testing.T) {
	ours := map[string]string{engine.LabelStartedBy: "bob"}
	tests := map[string]struct {
		volumes []*volume.Volume
		made    bool
		ours    bool
	}{
		"made now":                     {nil, true, true},
		"beside a name that holds its": {[]*volume.Volume{{Name: "spool-of-others", Labels: ours}}, true, true},
		"left by an earlier run":       {[]*volume.Volume{{Name: "spool", Labels: ours}}, false, true},
		"the operator's own":           {[]*volume.Volume{{Name: "my-spool", Labels: ours}, {Name: "spool"}}, false, false},
		"the operator's own, labelled": {[]*volume.Volume{{Name: "spool", Labels: map[string]string{"a": "b"}}}, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var sent *volume.CreateOptions
			eng, _ := serve(t, engine.OldestAPI, map[string]http.HandlerFunc{
				"GET /volumes": func(w http.ResponseWriter, r *http.Request) {
					assert.Check(t, cmp.Contains(r.URL.Query().Get("filters"), `"name":{"spool":true}`))
					document(t, volume.ListResponse{Volumes: test.volumes})(w, r)
				},
				"POST /volumes/create": func(w http.ResponseWriter, r *http.Request) {
					assert.Check(t, json.NewDecoder(r.Body).Decode(&sent))
					answer(http.StatusCreated, `{"Name":"spool"}`)(w, r)
				},
			})
			ours, err := eng.CreateSpool(t.Context(), "spool", "ann")
			assert.NilError(t, err)
			assert.Equal(t, ours, test.ours)
			assert.Equal(t, sent != nil, test.made)
			if sent != nil {
				assert.DeepEqual(t, *sent, volume.CreateOptions{Name: "spool", Labels: map[string]string{engine.LabelStartedBy: "ann"}})
			}
		})
	}
}

func TestASpoolThatCannotBeHadIsNamed(t *testing.T) {
	ill := refusal(http.StatusInternalServerError, "ill")
	eng, asked := serve(t, newest, map[string]http.HandlerFunc{"GET /volumes": ill})
	ours, err := eng.CreateSpool(t.Context(), "spool", "ann")
	assert.ErrorContains(t, err, "look for volume spool: ")
	assert.Check(t, !ours)

	asked.answers["GET /volumes"] = document(t, volume.ListResponse{})
	asked.answers["POST /volumes/create"] = ill
	ours, err = eng.CreateSpool(t.Context(), "spool", "ann")
	assert.ErrorContains(t, err, "create volume spool: ")
	assert.Check(t, !ours)
}

func TestWhatIsRemovedAlreadyOrStillUsedIsNoError(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		fails  string
	}{
		"removed":               {answer(http.StatusOK, "[]"), ""},
		"gone":                  {refusal(http.StatusNotFound, "no such thing"), ""},
		"used by somebody else": {refusal(http.StatusConflict, "conflict: in use"), ""},
		"the engine is ill":     {refusal(http.StatusInternalServerError, "ill"), "ill"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			eng, _ := serve(t, engine.OldestAPI, map[string]http.HandlerFunc{
				"DELETE /volumes/spool": test.answer, "DELETE /images/docker-ucp/agent:1": test.answer,
			})
			volumeErr := eng.RemoveVolume(t.Context(), "spool")
			imageErr := eng.RemoveImage(t.Context(), "docker-ucp/agent:1")
			if test.fails == "" {
				assert.NilError(t, volumeErr)
				assert.NilError(t, imageErr)
				return
			}
			assert.ErrorContains(t, volumeErr, "remove volume spool: ")
			assert.ErrorContains(t, imageErr, "remove image docker-ucp/agent:1: ")
			assert.ErrorContains(t, imageErr, test.fails)
		})
	}
}

// inspected is what an engine says of the agent's container.
func inspected(state *container.State, config *container.Config) container.InspectResponse {
	return container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{ID: "c1", Created: "2024-02-29T10:11:12.131415161Z", State: state},
		Config:            config,
	}
}

func TestAnAgentOfAnotherRunIsFound(t *testing.T) {
	config := &container.Config{Image: "docker-ucp/agent:1", Labels: map[string]string{engine.LabelStartedBy: "bob@laptop"}}
	since := time.Date(2024, 2, 29, 10, 11, 12, 131415161, time.UTC)
	ended := since.Add(time.Hour)
	finished := ended.Format(time.RFC3339Nano)
	tests := map[string]struct {
		answer http.HandlerFunc
		want   *engine.Found // without Agent; nil for none
	}{
		"none":                     {refusal(http.StatusNotFound, "No such container: docker-ucp-agent"), nil},
		"at work":                  {document(t, inspected(&container.State{Running: true}, config)), &engine.Found{Image: "docker-ucp/agent:1", StartedBy: "bob@laptop", Running: true, Since: since}},
		"frozen by somebody":       {document(t, inspected(&container.State{Running: true, Paused: true}, config)), &engine.Found{Image: "docker-ucp/agent:1", StartedBy: "bob@laptop", Running: true, Since: since}},
		"ended":                    {document(t, inspected(&container.State{Status: container.StateExited, FinishedAt: finished}, config)), &engine.Found{Image: "docker-ucp/agent:1", StartedBy: "bob@laptop", Since: since, Ended: ended}},
		"ended, nobody knows when": {document(t, inspected(&container.State{Status: container.StateExited}, config)), &engine.Found{Image: "docker-ucp/agent:1", StartedBy: "bob@laptop", Since: since}},
		"started again":            {document(t, inspected(&container.State{Running: true, FinishedAt: finished}, config)), &engine.Found{Image: "docker-ucp/agent:1", StartedBy: "bob@laptop", Running: true, Since: since}},
		"about to start again":     {document(t, inspected(&container.State{Running: true, Restarting: true, FinishedAt: finished}, config)), &engine.Found{Image: "docker-ucp/agent:1", StartedBy: "bob@laptop", Running: true, Since: since}},
		"never started":            {document(t, inspected(&container.State{Status: container.StateCreated, FinishedAt: "0001-01-01T00:00:00Z"}, config)), &engine.Found{Image: "docker-ucp/agent:1", StartedBy: "bob@laptop", Since: since}},
		"somebody else's own name": {document(t, inspected(&container.State{}, nil)), &engine.Found{Since: since}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			eng, _ := serve(t, engine.OldestAPI, map[string]http.HandlerFunc{"GET /containers/docker-ucp-agent/json": test.answer})
			found, err := eng.FindAgent(t.Context())
			assert.NilError(t, err)
			if test.want == nil {
				assert.Check(t, found == nil)
				return
			}
			assert.Equal(t, found.ID, "c1")
			found.Agent = nil
			assert.DeepEqual(t, found, test.want)
		})
	}
}

func TestAnAgentThatCannotBeLookedForIsNoMissingOne(t *testing.T) {
	undated := inspected(&container.State{}, nil)
	undated.Created = "yesterday"
	tests := map[string]struct {
		answer http.HandlerFunc
		fails  string
	}{
		"the engine is ill": {refusal(http.StatusInternalServerError, "ill"), "look for container docker-ucp-agent: "},
		"an empty answer":   {answer(http.StatusOK, "{}"), "the engine does not say in which state"},
		"no state":          {document(t, inspected(nil, nil)), "the engine does not say in which state"},
		"no date":           {document(t, undated), "read when container docker-ucp-agent was created: "},
		"a proxy's page":    {answer(http.StatusOK, "<html>"), "look for container docker-ucp-agent: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			eng, _ := serve(t, newest, map[string]http.HandlerFunc{"GET /containers/docker-ucp-agent/json": test.answer})
			found, err := eng.FindAgent(t.Context())
			assert.ErrorContains(t, err, test.fails)
			assert.Check(t, found == nil)
		})
	}
}
