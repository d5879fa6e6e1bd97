package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// How long whoever hands a file over waits for an agent that does not listen yet, the pause between two tries, and how
// long one hand-over may take.
const (
	handPatience = 10 * time.Second
	handPause    = 50 * time.Millisecond
	handTimeout  = 10 * time.Second
)

// HandOver gives the file at path to the agent that listens in the spool, opened, when it is the very one that the
// plugin made, known by the nonce in it. Direct says that the agent has it.
func HandOver(ctx context.Context, spoolRoot, path, nonce string) (handed Handed, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, handPatience+handTimeout, errors.New("the agent gives no answer"))
	defer cancel()
	file, err := openOutput(path, nonce)
	if err != nil || file == nil {
		return Handed{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	room := newSpool(spoolRoot)
	if err := give(ctx, room.hand(), file); err != nil {
		return Handed{}, fmt.Errorf("hand the file to the agent: %w", err)
	}
	return Handed{Direct: true, OneDisk: room.shares(file)}, nil
}

// give sends an open file through a socket, and waits until the other side has taken it.
func give(ctx context.Context, socket string, file *os.File) (err error) {
	conn, err := reach(ctx, socket)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(handTimeout)); err != nil {
		return err
	}
	if _, _, err := conn.WriteMsgUnix([]byte{0}, unix.UnixRights(int(file.Fd())), nil); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		return fmt.Errorf("it was not taken: %w", err)
	}
	return nil
}

func reach(ctx context.Context, socket string) (*net.UnixConn, error) {
	ctx, cancel := context.WithTimeout(ctx, handPatience)
	defer cancel()
	for {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
		if err == nil || pause(ctx, handPause) != nil {
			return conn, err
		}
	}
}

// expectFile begins to wait for the operator's file. The function that it returns ends that, and returns the file; nil
// when nobody gave one.
func (r *runner) expectFile(ctx context.Context, nonce string) (end func() *os.File) {
	if nonce == "" {
		return func() *os.File { return nil }
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: r.spool.hand(), Net: "unix"})
	if err != nil {
		r.emit(Event{Type: Warning, Message: fmt.Sprintf("the archive has to be fetched, as nothing can be handed to the agent: %v", err)})
		return func() *os.File { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	var file *os.File
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for file == nil {
			conn, err := listener.AcceptUnix()
			if err != nil {
				return
			}
			file, _ = takeFrom(ctx, conn, nonce) // whoever gives something else hears nothing of us
		}
	}()
	return sync.OnceValue(func() *os.File {
		cancel()
		_ = listener.Close() // what it leaves of its socket goes with the folder
		<-ended
		return file
	})
}

// takeFrom takes one file, if it holds the nonce, and says so to whoever gave it. The end of ctx ends it.
func takeFrom(ctx context.Context, conn *net.UnixConn, nonce string) (file *os.File, err error) {
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := conn.SetDeadline(time.Now().Add(handTimeout)); err != nil {
		return nil, err
	}
	if file, err = receive(conn); err != nil {
		return nil, err
	}
	if isVery(file, nonce) {
		if _, err = conn.Write([]byte{0}); err == nil {
			return file, nil
		}
	}
	return nil, errors.Join(err, file.Close())
}

// errNotOne: what else comes is not kept open.
var errNotOne = errors.New("not one open file")

// receive takes the one open file of a message; of one with more, or with none, nothing stays open.
func receive(conn *net.UnixConn) (*os.File, error) {
	control := make([]byte, unix.CmsgSpace(4)) // the kernel closes what finds no room here
	_, n, flags, _, err := conn.ReadMsgUnix(make([]byte, 1), control)
	if err != nil {
		return nil, err
	}
	files := openFiles(control[:n])
	if len(files) == 1 && flags&unix.MSG_CTRUNC == 0 {
		return files[0], nil
	}
	for _, file := range files {
		err = errors.Join(err, file.Close())
	}
	return nil, errors.Join(errNotOne, err)
}

func openFiles(control []byte) (files []*os.File) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for i := range messages {
		descriptors, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, descriptor := range descriptors {
			files = append(files, os.NewFile(uintptr(descriptor), "the operator's file"))
		}
	}
	return files
}
