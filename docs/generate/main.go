// Command generate writes docs/reference from the commands themselves. Run it from the top of the repository. What a page
// says below its generated part is written by hand and kept.
package main

import (
	"fmt"
	"os"
	"strings"

	clidocstool "github.com/docker/cli-docs-tool"
	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/docker-ucp/docker-ucp/commands"
)

func main() {
	if err := generate("docs/reference"); err != nil {
		fmt.Fprintln(os.Stderr, "generate the reference:", err)
		os.Exit(1)
	}
}

func generate(folder string) error {
	dockerCLI, err := command.NewDockerCli()
	if err != nil {
		return err
	}
	docker := &cobra.Command{Use: "docker"}
	docker.AddCommand(commands.New(dockerCLI, ""))
	prepare(docker)
	pages, err := clidocstool.New(clidocstool.Options{Root: docker, SourceDir: folder, Plugin: true})
	if err != nil {
		return err
	}
	return pages.GenMarkdownTree(docker)
}

// prepare turns what a terminal shows into what a page shows.
func prepare(cmd *cobra.Command) {
	for _, verb := range cmd.Commands() {
		prepare(verb)
	}
	cmd.DisableFlagsInUseLine = true
	usage := cmd.UseLine()
	if cmd.HasSubCommands() {
		usage += " COMMAND"
	}
	description, statuses, _ := strings.Cut(cmd.Long, "\n\nEXIT STATUS\n")
	cmd.Long = join(fenced("Usage", usage), description, exitStatuses(statuses), fenced("Examples", trimLines(cmd.Example)))
	cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		if flag.DefValue == "0s" {
			flag.DefValue = "" // none, and the text says what then holds
		}
	})
}

func join(parts ...string) string {
	var text strings.Builder
	for _, part := range parts {
		if part = strings.TrimSpace(part); part != "" {
			text.WriteString(part + "\n\n")
		}
	}
	return strings.TrimSpace(text.String())
}

func fenced(title, lines string) string {
	if lines == "" {
		return ""
	}
	return "### " + title + "\n\n```console\n" + lines + "\n```"
}

func trimLines(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, "\n")
}

// exitStatuses makes a table of lines such as "  5    refused before anything was touched".
func exitStatuses(text string) string {
	if text == "" {
		return ""
	}
	var table strings.Builder
	table.WriteString("### Exit status\n\n| Code | Means |\n|-----:|:------|\n")
	for line := range strings.Lines(text) {
		code, meaning, _ := strings.Cut(strings.TrimSpace(line), " ")
		table.WriteString("| " + code + " | " + strings.TrimSpace(meaning) + " |\n")
	}
	return table.String()
}
