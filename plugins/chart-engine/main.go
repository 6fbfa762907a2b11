// The chart engine renders a Helm chart with Helm's own code, as a WASI command: it reads a request and the chart's
// files on stdin, and writes calls and at last a report on stdout. It has no files, no network and no environment but
// the time zone; what it looks up in a cluster it asks the host for.
package main

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"slices"
	_ "time/tzdata" // `dateInZone` of templates
)

func main() {
	logLikeHelm()
	conversation := &conversation{in: bufio.NewReaderSize(portions{os.Stdin}, portion), out: portions{os.Stdout}}
	if err := conversation.run(); err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}

// portion is how many bytes pass between host and engine at once; the host takes no more than a few megabytes.
const portion = 256 << 10

// portions reads and writes in portions.
type portions struct {
	file *os.File
}

func (p portions) Read(into []byte) (int, error) {
	return p.file.Read(into[:min(len(into), portion)])
}

func (p portions) Write(from []byte) (int, error) {
	written := 0
	for chunk := range slices.Chunk(from, portion) {
		count, err := p.file.Write(chunk)
		written += count
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// logLikeHelm makes log lines look like those of the helm program.
func logLikeHelm() {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, attribute slog.Attr) slog.Attr {
			if attribute.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return attribute
		},
	})))
}

// conversation is the protocol of WASI commands: one JSON document a line.
type conversation struct {
	in  *bufio.Reader
	out io.Writer
}

// run answers the one request there is. An error is one of the conversation itself.
func (c *conversation) run() error {
	var request request
	line, err := c.line()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, &request); err != nil {
		return err
	}
	if err := request.readInputs(c.in); err != nil {
		return err
	}
	report, err := render(&request, c)
	if err != nil {
		return c.write(map[string]any{"failure": map[string]any{"message": err.Error()}})
	}
	return c.write(map[string]any{"report": map[string]any{"message": "rendered", "data": report}})
}

// line reads the next line.
func (c *conversation) line() ([]byte, error) {
	return c.in.ReadBytes('\n')
}

// write writes a line.
func (c *conversation) write(document any) error {
	encoder := json.NewEncoder(c.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}
