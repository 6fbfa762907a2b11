// Package yaml stands in for the real one: it cuts a stream of YAML into documents.
package yaml

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// YAMLReader reads a stream document by document.
type YAMLReader struct {
	lines *bufio.Reader
}

// NewYAMLReader reads from r.
func NewYAMLReader(r *bufio.Reader) *YAMLReader {
	return &YAMLReader{lines: r}
}

// Read gives the next document that has any line, and io.EOF behind the last one. Documents end at a line that begins
// with three hyphens; only a comment may follow those. Lines end in a line feed, whatever they ended in.
func (r *YAMLReader) Read() ([]byte, error) {
	var document []byte
	for {
		line, err := r.line()
		if err != nil {
			if errors.Is(err, io.EOF) && len(document) > 0 {
				return document, nil
			}
			return nil, err
		}
		if rest, found := strings.CutPrefix(line, "---"); found {
			if rest = strings.TrimSpace(rest); rest != "" && rest[0] != '#' {
				return nil, fmt.Errorf("invalid Yaml document separator: %s", rest)
			}
			if len(document) > 0 {
				return document, nil
			}
		}
		// The separator before a document is its first line, which YAML allows.
		document = append(append(document, line...), '\n')
	}
}

// line gives the next line without its end. The last one needs none.
func (r *YAMLReader) line() (string, error) {
	line, err := r.lines.ReadString('\n')
	if err != nil && line == "" {
		return "", err
	}
	if ended, found := strings.CutSuffix(line, "\n"); found {
		return strings.TrimSuffix(ended, "\r"), nil
	}
	return line, nil
}
