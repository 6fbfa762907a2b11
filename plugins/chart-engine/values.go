package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/strvals"
)

// lent is what the record of a revision holds of its values.
type lent struct {
	// Mode says how much of them is taken.
	Mode string `json:"mode"`
	// Config holds the values that the user gave.
	Config map[string]any `json:"config"`
	// Defaults are those of the chart.
	Defaults map[string]any `json:"defaults"`
}

// reuse gives the user's values of an upgrade, as Helm takes them over.
func (l *lent) reuse(loaded *chart.Chart, config map[string]any) (map[string]any, error) {
	switch l.Mode {
	case "reuse":
		before := &chart.Chart{Metadata: loaded.Metadata, Values: l.Defaults}
		values, err := util.CoalesceValues(before, l.Config)
		if err != nil {
			return nil, fmt.Errorf("failed to rebuild old values: %w", err)
		}
		loaded.Values = values
		return util.CoalesceTables(config, l.Config), nil
	case "reset-then-reuse":
		return util.CoalesceTables(config, l.Config), nil
	case "last-if-none-given":
		if len(config) == 0 && len(l.Config) > 0 {
			return l.Config, nil
		}
	}
	return config, nil
}

// userValues merges what the command line says. The order of the flags is by their kind, as in the helm program.
func (r *request) userValues() (map[string]any, error) {
	values := map[string]any{}
	for _, file := range r.Config.Values {
		text, err := file.read()
		if err != nil {
			return nil, err
		}
		more, err := loader.LoadValues(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("failed to parse %s: %w", file.Name, err)
		}
		values = loader.MergeMaps(values, more)
	}
	for _, text := range r.Config.SetJSON {
		// Helm hides the causes of these two.
		if object := strings.TrimSpace(text); strings.HasPrefix(object, "{") {
			var more map[string]any
			if json.Unmarshal([]byte(object), &more) != nil {
				return nil, fmt.Errorf("failed parsing --set-json data JSON: %s", text)
			}
			values = loader.MergeMaps(values, more)
		} else if strvals.ParseJSON(text, values) != nil {
			return nil, fmt.Errorf("failed parsing --set-json data %s", text)
		}
	}
	readFile := func(path []rune) (any, error) {
		for _, file := range r.Config.SetFiles {
			if file.Name == string(path) {
				data, err := file.read()
				return string(data), err
			}
		}
		return nil, errors.New("open " + string(path) + ": no such file or directory")
	}
	for _, flag := range []struct {
		name  string
		texts []string
		parse func(string, map[string]any) error
	}{
		{"--set", r.Config.Set, strvals.ParseInto},
		{"--set-string", r.Config.SetString, strvals.ParseIntoString},
		{"--set-file", r.Config.SetFile, func(text string, values map[string]any) error {
			return strvals.ParseIntoFile(text, values, readFile)
		}},
		{"--set-literal", r.Config.SetLiteral, strvals.ParseLiteralInto},
	} {
		for _, text := range flag.texts {
			if err := flag.parse(text, values); err != nil {
				return nil, fmt.Errorf("failed parsing %s data: %w", flag.name, err)
			}
		}
	}
	return values, nil
}
