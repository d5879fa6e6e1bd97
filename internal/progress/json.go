package progress

import (
	"encoding/json"
	"io"
	"math"
	"time"
)

// jsonInterval keeps a script informed without filling its log.
const jsonInterval = time.Second

// event is one JSON line; the package documentation says what the fields mean.
type event struct {
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`
	Phase   string    `json:"phase,omitempty"`
	Unit    string    `json:"unit,omitempty"`
	Done    *int64    `json:"done,omitempty"`
	Total   int64     `json:"total,omitempty"`
	Rate    *float64  `json:"rate,omitempty"`
	ETA     *float64  `json:"eta,omitempty"`
	Elapsed *float64  `json:"elapsed,omitempty"`
	Level   string    `json:"level,omitempty"`
	Message string    `json:"message,omitempty"`
}

// jsonRenderer writes one object a line.
type jsonRenderer struct{ w io.Writer }

func (r *jsonRenderer) interval() time.Duration { return jsonInterval }

func (r *jsonRenderer) start(s snapshot) {
	e := newEvent("start", s)
	e.Rate, e.ETA = nil, nil
	r.write(e)
}

func (r *jsonRenderer) tick(s snapshot) { r.write(newEvent("progress", s)) }

func (r *jsonRenderer) end(s snapshot, err error) {
	e := newEvent("done", s)
	e.ETA = nil
	if err != nil {
		e.Type, e.Level, e.Message = "failed", levelError, escapeMessage(err.Error())
	}
	r.write(e)
}

func (r *jsonRenderer) say(level, message string) {
	r.write(event{Time: time.Now().UTC(), Type: "message", Level: level, Message: message})
}

// write drops the error for the reason that printLine gives.
func (r *jsonRenderer) write(e event) {
	line, err := json.Marshal(e)
	if err != nil { // impossible: every field is a plain value, and seconds never returns what JSON cannot say
		return
	}
	_, _ = r.w.Write(append(line, '\n'))
}

func newEvent(kind string, s snapshot) event {
	e := event{
		Time: time.Now().UTC(), Type: kind, Phase: s.name, Unit: s.unit.String(),
		Done: &s.done, Total: s.total, Rate: rounded(s.rate), Elapsed: rounded(s.elapsed.Seconds()),
	}
	if s.left >= 0 {
		e.ETA = rounded(s.left.Seconds())
	}
	return e
}

// rounded keeps three digits after the point: more is noise.
func rounded(f float64) *float64 {
	f = math.Round(f*1000) / 1000
	return &f
}
