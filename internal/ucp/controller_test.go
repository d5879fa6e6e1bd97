package ucp_test

import (
	"encoding/json"
	"testing"

	"github.com/docker/docker/api/types/container"
	"gotest.tools/v3/assert"
)

func TestTheControllersPortIsTheOneThatIsUCPs(t *testing.T) {
	tests := map[string]struct {
		now    string // NetworkSettings.Ports
		wanted string // HostConfig.PortBindings
		want   int
	}{
		"as installed":                     {`{"8080/tcp":[{"HostPort":"443"}],"8081/tcp":[{"HostPort":"6443"}]}`, `{}`, 8080},
		"on another port of the host":      {`{"8080/tcp":[{"HostPort":"4443"}],"8081/tcp":[{"HostPort":"443"}]}`, `{}`, 8080},
		"of IPv4 and IPv6":                 {`{"8080/tcp":[{"HostIp":"0.0.0.0","HostPort":"443"},{"HostIp":"::","HostPort":"443"}]}`, `{}`, 8080},
		"another one inside":               {`{"7000/tcp":[{"HostPort":"6443"}],"9443/tcp":[{"HostPort":"443"}]}`, `{}`, 9443},
		"the first of two bindings":        {`{"7000/tcp":[{"HostPort":"6443"}],"9443/tcp":[{"HostPort":"443"},{"HostPort":"4443"}]}`, `{}`, 9443},
		"nothing at 443":                   {`{"9443/tcp":[{"HostPort":"4443"}],"9444/tcp":[{"HostPort":"6443"}]}`, `{}`, 9443},
		"8080 exposed and not published":   {`{"8080/tcp":null,"9443/tcp":[{"HostPort":"443"}]}`, `{}`, 9443},
		"8080 of UDP":                      {`{"8080/udp":[{"HostPort":"443"}],"9443/tcp":[{"HostPort":"4443"}]}`, `{}`, 9443},
		"stopped, so nothing is open now":  {`{}`, `{"8080/tcp":[{"HostPort":"443"}],"8081/tcp":[{"HostPort":"6443"}]}`, 8080},
		"open now is other than asked for": {`{"9443/tcp":[{"HostPort":"443"}]}`, `{"8080/tcp":[{"HostPort":"443"}]}`, 9443},
		"published nowhere":                {`{"8080/tcp":null}`, `{}`, 0},
		"in the network of the host, say":  {`{}`, `{}`, 0},
		"nothing told":                     {`null`, `null`, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var inspected container.InspectResponse
			document := `{"HostConfig":{"PortBindings":` + test.wanted + `},"NetworkSettings":{"Ports":` + test.now + `}}`
			assert.NilError(t, json.Unmarshal([]byte(document), &inspected))
			m := newManager()
			m.inspected["id-of-ucp-controller"] = inspected
			assert.Equal(t, m.discover(t).ControllerPort, test.want)
		})
	}
}

func TestOnlyTheControllerIsAskedForAPort(t *testing.T) {
	var inspected container.InspectResponse
	assert.NilError(t, json.Unmarshal([]byte(`{"HostConfig":{},"NetworkSettings":{"Ports":{"2379/tcp":[{"HostPort":"12379"}]}}}`), &inspected))
	m := newManager()
	m.inspected["id-of-ucp-kv"] = inspected
	assert.Equal(t, m.discover(t).ControllerPort, 0)
}
