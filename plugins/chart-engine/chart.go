package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"sigs.k8s.io/yaml"
)

// loadChart loads the chart, and refuses what the helm program refuses before it renders.
func (r *request) loadChart() (*chart.Chart, error) {
	files := make([]*archive.BufferedFile, len(r.Config.Chart))
	for i, file := range r.Config.Chart {
		files[i] = &archive.BufferedFile{Name: file.Name, ModTime: time.Unix(0, file.ModTime), Data: file.data}
	}
	if err := checkVersion(files); err != nil {
		return nil, err
	}
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return nil, err
	}
	if kind := loaded.Metadata.Type; kind != "" && kind != "application" {
		return nil, fmt.Errorf("%s charts are not installable", kind)
	}
	if loaded.Metadata.Deprecated {
		slog.Warn("this chart is deprecated")
	}
	return loaded, checkDependencies(loaded)
}

// checkVersion looks at the version of the chart's format before anything else is read.
func checkVersion(files []*archive.BufferedFile) error {
	for _, file := range files {
		if file.Name != "Chart.yaml" {
			continue
		}
		var head struct {
			APIVersion string `json:"apiVersion"`
		}
		if err := yaml.Unmarshal(file.Data, &head); err != nil {
			return fmt.Errorf("cannot load Chart.yaml: %w", err)
		}
		switch head.APIVersion {
		case chart.APIVersionV1, chart.APIVersionV2, "":
			return nil
		default:
			// Helm 4 knows a third version, which it cannot install yet.
			return errors.New("unsupported chart version")
		}
	}
	return errors.New("unable to detect chart version, no Chart.yaml found")
}

// checkDependencies wants every dependency of Chart.yaml to be there, used or not.
func checkDependencies(loaded *chart.Chart) error {
	var missing []string
	for _, wanted := range loaded.Metadata.Dependencies {
		if !hasDependency(loaded, wanted.Name) {
			missing = append(missing, wanted.Name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("an error occurred while checking for chart dependencies. "+
		"You may need to run 'helm dependency build' to fetch missing dependencies: "+
		"found in Chart.yaml, but missing in charts/ directory: %s", strings.Join(missing, ", "))
}

func hasDependency(loaded *chart.Chart, name string) bool {
	for _, dependency := range loaded.Dependencies() {
		if dependency.Name() == name {
			return true
		}
	}
	return false
}
