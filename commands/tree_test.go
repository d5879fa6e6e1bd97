package commands

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/golden"
)

// ours visits every command of ours.
func ours(t *testing.T, visit func(t *testing.T, cmd *cobra.Command)) {
	t.Helper()
	for _, root := range newTree(t).Commands() {
		visitAll(t, root, visit)
	}
}

func visitAll(t *testing.T, cmd *cobra.Command, visit func(t *testing.T, cmd *cobra.Command)) {
	t.Helper()
	t.Run(cmd.CommandPath(), func(t *testing.T) { visit(t, cmd) })
	for _, child := range cmd.Commands() {
		visitAll(t, child, visit)
	}
}

func TestEveryCommandExplainsAndChecksItself(t *testing.T) {
	ours(t, func(t *testing.T, cmd *cobra.Command) {
		assert.Check(t, cmd.Short != "" && !strings.HasSuffix(cmd.Short, "."), "Short: %q", cmd.Short)
		assert.Check(t, cmd.Long != "", "Long")
		assert.Check(t, cmd.Args != nil, "Args: wrong arguments would be taken in silence")
		assert.Check(t, cmd.RunE != nil && cmd.Run == nil, "RunE")
		assert.Check(t, cmd.ValidArgsFunction != nil, "ValidArgsFunction: versions of docker differ in what they offer")
		assert.Check(t, cmd.PersistentPreRunE == nil && cmd.PersistentPreRun == nil, "it would hide that of the docker CLI")
		for line := range strings.Lines(cmd.Long + "\n" + cmd.Example) {
			assert.Check(t, len(strings.TrimRight(line, "\n")) <= 90, line)
		}
		for line := range strings.Lines(cmd.Example) {
			assert.Check(t, strings.HasPrefix(line, "  docker ") && strings.Contains(line, " ucp "), "Example: %q", line)
		}
		assert.Check(t, cmd.Example != "", "Example")
	})
}

func TestEveryVerbEndsItsHelpWithTheExitStatuses(t *testing.T) {
	ours(t, func(t *testing.T, cmd *cobra.Command) {
		if cmd.HasSubCommands() {
			t.Skip("it has verbs and is none")
		}
		_, statuses, found := strings.Cut(cmd.Long, "\n\nEXIT STATUS\n")
		assert.Check(t, found)
		want := []string{"0", "1", "2", "3", "4", "5", "125", "130"}
		if cmd.Name() == "verify" {
			want = slices.DeleteFunc(want, func(status string) bool { return status == "2" }) // it leaves nothing that needs a person
		}
		var got []string
		for line := range strings.Lines(statuses) {
			got = append(got, strings.Fields(line)[0])
		}
		assert.DeepEqual(t, got, want)
	})
}

func TestEveryFlagSaysWhatItDoes(t *testing.T) {
	ours(t, func(t *testing.T, cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			assert.Check(t, len(flag.Usage) > 8 && !strings.HasSuffix(flag.Usage, "."), "--%s: %q", flag.Name, flag.Usage)
			if strings.Contains(flag.Usage, `("`) {
				_, offered := cmd.GetFlagCompletionFunc(flag.Name)
				assert.Check(t, offered, "--%s names its values and the shell does not offer them", flag.Name)
			}
		})
	})
}

func TestTheValuesThatTheShellOffersAreTaken(t *testing.T) {
	ours(t, func(t *testing.T, cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			complete, found := cmd.GetFlagCompletionFunc(flag.Name)
			if !found {
				return
			}
			values, directive := complete(cmd, nil, "")
			assert.Equal(t, directive, cobra.ShellCompDirectiveNoFileComp)
			assert.Check(t, len(values) > 1)
			for _, value := range values {
				assert.Check(t, strings.Contains(flag.Usage, `"`+value+`"`), "--%s %s", flag.Name, value)
				o := execute(t, cmd.Name(), "--"+flag.Name, value, filepath.Join(t.TempDir(), "ucp.tar"))
				further := map[string]int{"backup": 5, "verify": 1}[cmd.Name()] // as far as one gets without an engine, and without the file
				assert.Equal(t, o.status(), further, "%s --%s %s: %v", cmd.Name(), flag.Name, value, o.err)
			}
		})
	})
}

func TestTheHelp(t *testing.T) {
	for file, args := range map[string][]string{
		"ucp": {"--help"}, "ucp-backup": {"backup", "--help"}, "ucp-verify": {"verify", "--help"}, "ucp-version": {"version", "--help"},
	} {
		o := execute(t, args...)
		assert.NilError(t, o.err)
		golden.Assert(t, o.stdout.String(), file+".golden")
		assert.Check(t, !strings.Contains(o.stdout.String(), "[=true|false]"), "a newer pflag has come in: see the pins in go.mod")
		assert.Check(t, !strings.Contains(o.stdout.String(), "[flags]"))
	}
}
