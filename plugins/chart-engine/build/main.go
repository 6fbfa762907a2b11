// Command build builds the chart engine. It is `go build` with two changes to what the engine is made of, which halve
// the time that a small chart takes and keep an HTTP client out of the sandbox (docs/decisions/0006-chart-engine.md):
//
//   - the standard library's net/http and crypto/tls are cut down to std/, by an overlay;
//   - the JSON Schema library compiles its meta-schemas when a chart has a schema and not at every start, by a copy with
//     one line changed.
//
// The engine also builds without it, as any Go program does.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The helm whose library it is, as `.Capabilities.HelmVersion` and `helm version` say it.
const (
	helmVersion = "v4.3.1"
	helmCommit  = "c0d08d0d6d9424d4a14febb5e8a3e51b0dd00dff"
)

// schemaLibrary has the line that is changed.
const schemaLibrary = "github.com/santhosh-tekuri/jsonschema/v6"

// keep says what of the standard library's packages is left, besides std/.
var keep = map[string][]string{
	"net/http":   {"sniff.go", "status.go", "method.go"},
	"crypto/tls": {},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("usage: go run ./build FILE.wasm")
	}
	output, err := filepath.Abs(os.Args[1])
	if err != nil {
		return err
	}
	work := filepath.Join(filepath.Dir(output), "parts")
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	overlay, err := writeOverlay(work)
	if err != nil {
		return err
	}
	modfile, err := writeModule(work)
	if err != nil {
		return err
	}
	const variable = "-X helm.sh/helm/v4/internal/version."
	flags := []string{"-s", "-w", variable + "version=" + helmVersion, variable + "gitCommit=" + helmCommit,
		variable + "gitTreeState=clean"}
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lazyschemas", "-overlay", overlay,
		"-modfile", modfile, "-ldflags", strings.Join(flags, " "), "-o", output, ".")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	return build.Run()
}

// writeOverlay says which files of the standard library are replaced.
func writeOverlay(work string) (string, error) {
	root, err := goTool("env", "GOROOT")
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for name, kept := range keep {
		folder := filepath.Join(root, "src", filepath.FromSlash(name))
		theirs, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			return "", err
		}
		for _, file := range theirs {
			replace[file] = ""
		}
		for _, file := range kept {
			delete(replace, filepath.Join(folder, file))
		}
		ours, err := filepath.Abs(filepath.Join("build", "std", filepath.FromSlash(name), "standin.go"))
		if err != nil {
			return "", err
		}
		replace[filepath.Join(folder, "standin.go")] = ours
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(work, "overlay.json")
	return path, os.WriteFile(path, text, 0o644)
}

// writeModule makes a go.mod whose JSON Schema library is a changed copy.
func writeModule(work string) (string, error) {
	folder, err := goTool("list", "-m", "-f", "{{.Dir}}", schemaLibrary)
	if err != nil {
		return "", err
	}
	if folder == "" {
		if _, err := goTool("mod", "download", schemaLibrary); err != nil {
			return "", err
		}
		if folder, err = goTool("list", "-m", "-f", "{{.Dir}}", schemaLibrary); err != nil {
			return "", err
		}
	}
	copied := filepath.Join(work, "jsonschema")
	if err := copyPackage(folder, copied); err != nil {
		return "", err
	}
	draft := filepath.Join(copied, "draft.go")
	text, err := os.ReadFile(draft)
	if err != nil {
		return "", err
	}
	const before, after = "\nfunc init() {\n", "\nfunc CompileMetaschemas() {\n"
	if bytes.Count(text, []byte(before)) != 1 {
		return "", fmt.Errorf("%s: not the file that this was written for", draft)
	}
	if err := os.WriteFile(draft, bytes.Replace(text, []byte(before), []byte(after), 1), 0o644); err != nil {
		return "", err
	}
	path := filepath.Join(work, "go.mod")
	module, err := os.ReadFile("go.mod")
	if err != nil {
		return "", err
	}
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	// Paths of a go.mod are relative to where it lies.
	text = bytes.ReplaceAll(module, []byte("=> ./"), []byte("=> "+filepath.ToSlash(here)+"/"))
	text = fmt.Appendf(text, "\nreplace %s => %s\n", schemaLibrary, filepath.ToSlash(copied))
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return "", err
	}
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(filepath.Join(work, "go.sum"), sums, 0o644)
}

// copyPackage copies a module, its tests left out.
func copyPackage(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case entry.IsDir() && entry.Name() == "testdata":
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case strings.HasSuffix(path, "_test.go"), strings.HasPrefix(entry.Name(), "go.work"):
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
}

// goTool runs the go command and gives what it prints.
func goTool(args ...string) (string, error) {
	command := exec.Command("go", args...)
	command.Stderr = os.Stderr
	output, err := command.Output()
	return strings.TrimSpace(string(output)), err
}
