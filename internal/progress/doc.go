// Package progress shows an operator how far a long run has come, and talks to them meanwhile.
//
// It observes. The data path adds to an atomic counter and does nothing else; a ticker of this package reads the
// counter and draws. So no drawing can slow a backup down, and no drawing error can end one: Set, Add and SetTotal
// never block and never fail, and a count beyond the total does no harm. Start, Done, Say and Warn write at once, and
// wait as long as the writer does.
//
// The same run is shown in four ways:
//
//   - bars: one line redrawn in place, with amount, rate and time left; for terminals only
//   - plain: a line when a phase starts, one every few seconds, one when it ends; no control characters
//   - json: one object a line, below
//   - quiet: warnings only
//
// # JSON lines
//
// These names are an interface that scripts rely on; fields may be added, never renamed. A field that is not known,
// such as the total of a phase whose end nobody knows, is left out.
//
//	time     RFC 3339 with nanoseconds, UTC
//	type     "start", "progress", "done" or "failed" for a phase, "message" for talk
//	phase    name of the phase (not in messages)
//	unit     "bytes" or "items": what done, total and rate count
//	done     how much is done
//	total    how much there is
//	rate     units per second: of the last seconds while running, of the whole phase at its end
//	eta      seconds left, estimated
//	elapsed  seconds since the phase started
//	level    "info" or "warning" of a message, "error" of a failed phase
//	message  the text
//
// What is said may hold names that strangers chose, so whatever a terminal could take for a command is escaped.
//
// It does not promise that every count is seen: only the last one of a phase is certain to be drawn.
package progress
