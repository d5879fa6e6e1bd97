package seal

import (
	"errors"
	"fmt"
	"io"
)

// What a caller may have to tell apart; every error of the reading half that
// is about the message or its keys is one of these.
var (
	// ErrPassphrase means a wrong passphrase, or no key that opens the message.
	// A head that is damaged can look the same.
	ErrPassphrase = errors.New("wrong passphrase, or no key for the message")
	// ErrDamaged means that the message is not what was sealed: changed, cut
	// short, or with something behind its end.
	ErrDamaged = errors.New("the message is damaged")
	// ErrUnsupported means a message that this package does not read, or one that
	// became so by damage.
	ErrUnsupported = errors.New("a message of a kind that is not known")
	// ErrTrailing is that kind of ErrDamaged where a whole message was right and
	// something stands behind its end.
	ErrTrailing = fmt.Errorf("%w: something follows its end", ErrDamaged)
)

// failure is an error that has its final form: layers above pass it on.
type failure struct {
	kind  error // ErrPassphrase, ErrDamaged, ErrUnsupported or nil
	text  string
	cause error
	at    int64 // with ErrTrailing, where it begins; zero where that is not known
}

func (f *failure) Error() string {
	if f.cause == nil {
		return f.text
	}
	return f.text + ": " + f.cause.Error()
}

func (f *failure) Unwrap() []error {
	var all []error
	for _, err := range []error{f.kind, f.cause} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// TrailingAt gives the offset at which something begins behind a message that
// is right, in bytes of what ReadHead was given. Not found are errors of other
// kinds, and what follows inside the armor of the message itself.
func TrailingAt(err error) (offset int64, found bool) {
	if final := new(failure); errors.Is(err, ErrTrailing) && errors.As(err, &final) {
		return final.at, final.at > 0
	}
	return 0, false
}

func damaged(format string, args ...any) error {
	return &failure{kind: ErrDamaged, text: "the message is damaged: " + fmt.Sprintf(format, args...)}
}

func noKey(format string, args ...any) error {
	return &failure{kind: ErrPassphrase, text: fmt.Sprintf(format, args...)}
}

func unsupported(format string, args ...any) error {
	return &failure{kind: ErrUnsupported, text: fmt.Sprintf(format, args...)}
}

// inside gives an error from a parser its final form. Errors of the source
// have theirs already, so all else is what the parser thinks of the bytes.
func inside(what string, err error) error {
	if final := new(failure); errors.As(err, &final) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &failure{kind: ErrDamaged, text: "the message is cut short: it ends inside " + what}
	}
	return &failure{kind: ErrDamaged, text: "the message is damaged: " + what, cause: err}
}

// source is the caller's reader. Its errors are about reading and never about
// the message; its end may be one of those.
type source struct {
	r     io.Reader
	read  int64
	limit int64 // refused beyond, unless zero
}

func (s *source) Read(p []byte) (int, error) {
	if s.limit > 0 && s.read >= s.limit {
		return 0, damaged("its armor has a head of more than %d KiB", s.limit>>10)
	}
	n, err := s.r.Read(p)
	s.read += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &failure{text: "read the message", cause: err}
	}
	return n, err
}
