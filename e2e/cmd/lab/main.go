// Program lab starts private Docker engines with a stand-in UCP on them, leaves them running and tells how to reach them.
//
//	lab up       start a lab that lives on until lab down
//	lab status   tell how to reach it
//	lab down     end it and remove all that it made
//	lab build    build the current engine, which lab up --engine would do otherwise
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: lab up [--engine installed|28.5.2] [--nodes N] [--fs xfs|btrfs] [--ucp=false] [--dir DIR]
       lab status [--dir DIR]
       lab down [--dir DIR]
       lab build
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

// run calls one verb. What is said goes to out, what takes long is announced on talk.
func run(ctx context.Context, args []string, out, talk io.Writer) error {
	verbs := map[string]func(context.Context, []string, io.Writer, io.Writer) error{
		"up": up, "status": status, "down": down, "build": build,
	}
	if len(args) == 0 || verbs[args[0]] == nil {
		_, err := io.WriteString(talk, usage)
		return errors.Join(flag.ErrHelp, err)
	}
	return verbs[args[0]](ctx, args[1:], out, talk)
}

// newFlags returns a verb's flags with those that all verbs have.
func newFlags(verb string, talk io.Writer) (flags *flag.FlagSet, dir *string) {
	flags = flag.NewFlagSet("lab "+verb, flag.ContinueOnError)
	flags.SetOutput(talk)
	return flags, flags.String("dir", "/var/tmp/docker-ucp-lab", "the lab's folder")
}

// parse refuses what is no flag.
func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp // it has been said already, with the flags
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s takes no argument %q", flags.Name(), flags.Arg(0))
	}
	return nil
}
