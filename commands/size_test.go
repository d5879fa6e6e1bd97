package commands

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// Beyond these a file or a function has more than one story to tell.
const (
	longestFile     = 300
	longestFunction = 60
)

func TestFilesAndFunctionsStayShort(t *testing.T) {
	files := token.NewFileSet()
	sources := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != ".." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go"):
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		sources++
		assert.Check(t, files.Position(file.FileEnd).Line <= longestFile+1, "%s is longer than %d lines", path, longestFile)
		if strings.HasSuffix(path, "_test.go") {
			return nil // a table may be long
		}
		for _, declared := range file.Decls {
			if function, ok := declared.(*ast.FuncDecl); ok {
				lines := files.Position(function.End()).Line - files.Position(function.Pos()).Line + 1
				assert.Check(t, lines <= longestFunction, "%s: %s has %d lines", path, function.Name, lines)
			}
		}
		return nil
	})
	assert.NilError(t, err)
	assert.Check(t, sources > 100, "only %d files found", sources)
}
