package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"text/template"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
)

// report is what a chart became.
type report struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	AppVersion string `json:"appVersion,omitempty"`
	// Files holds the rendered templates by path, those without a document left out.
	Files map[string]string `json:"files,omitempty"`
	// Sorted holds the documents instead, where that was asked for.
	Sorted *sorted `json:"sorted,omitempty"`
	Notes  string  `json:"notes"`
	CRDs   []crd   `json:"crds,omitempty"`
	Record *record `json:"record,omitempty"`
}

type crd struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// sorted holds documents in Helm's order.
type sorted struct {
	Manifests []document `json:"manifests"`
	Hooks     []document `json:"hooks"`
}

type document struct {
	Path string `json:"path"`
	Text string `json:"text"`
	// Events are those of a hook.
	Events []string `json:"events,omitempty"`
}

// record is what a release record holds besides the documents.
type record struct {
	// Chart is the chart as Helm stores it.
	Chart *chart.Chart `json:"chart"`
	// Config holds the user's values.
	Config map[string]any `json:"config"`
	// Values holds what the templates saw.
	Values any `json:"values"`
}

// render does what the helm program does between its flags and its output, in its order.
func render(request *request, host *conversation) (*report, error) {
	capabilities, err := request.capabilities()
	if err != nil {
		return nil, err
	}
	config, err := request.userValues()
	if err != nil {
		return nil, err
	}
	loaded, err := request.loadChart()
	if err != nil {
		return nil, err
	}
	if lent := request.Config.Lent; lent != nil {
		if config, err = lent.reuse(loaded, config); err != nil {
			return nil, err
		}
	}
	if err := chartutil.ProcessDependencies(loaded, config); err != nil {
		return nil, fmt.Errorf("chart dependencies processing failed: %w", err)
	}
	if hasSchema(loaded) {
		prepareSchemas()
	}
	release := common.ReleaseOptions{
		Name:      request.Release.Name,
		Namespace: request.Release.Namespace,
		Revision:  request.Release.Revision,
		IsInstall: !request.Config.IsUpgrade,
		IsUpgrade: request.Config.IsUpgrade,
	}
	values, err := util.ToRenderValuesWithSchemaValidation(
		loaded, config, release, capabilities, request.Config.SkipSchemaValidation)
	if err != nil {
		return nil, err
	}
	if wanted := loaded.Metadata.KubeVersion; wanted != "" &&
		!chartutil.IsCompatibleRange(wanted, capabilities.KubeVersion.String()) {
		return nil, fmt.Errorf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s",
			wanted, capabilities.KubeVersion.Version)
	}
	files, err := engine.Engine{CustomTemplateFuncs: request.functions(host)}.Render(loaded, values)
	if err != nil {
		return nil, err
	}
	report := &report{
		Name:       loaded.Name(),
		Version:    loaded.Metadata.Version,
		AppVersion: loaded.AppVersion(),
		Notes:      takeNotes(files, loaded, request.Config.SubNotes),
		Files:      files,
	}
	for _, one := range loaded.CRDObjects() {
		report.CRDs = append(report.CRDs, crd{Path: one.Filename, Text: string(one.File.Data)})
	}
	if request.Config.Sort {
		if report.Sorted, err = sort(files); err != nil {
			return nil, err
		}
		report.Files = nil
	}
	if request.Config.Record {
		report.Record = &record{Chart: loaded, Config: config, Values: values["Values"]}
	}
	return report, nil
}

func hasSchema(loaded *chart.Chart) bool {
	return loaded.Schema != nil || slices.ContainsFunc(loaded.Dependencies(), hasSchema)
}

// functions are the template functions that are not Helm's own here.
func (r *request) functions(host *conversation) template.FuncMap {
	functions := template.FuncMap{}
	if r.Config.Lookup {
		functions["lookup"] = host.lookup
	}
	return functions
}

// takeNotes takes the notes out of the rendered files. Everything that is named like notes is taken out, but only the
// chart's own count, unless those of subcharts are wanted.
func takeNotes(files map[string]string, loaded *chart.Chart, ofSubcharts bool) string {
	const suffix = "NOTES.txt"
	own := path.Join(loaded.Name(), "templates", suffix)
	var notes []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, suffix) {
			continue
		}
		if ofSubcharts || name == own {
			notes = append(notes, files[name])
		}
		delete(files, name)
	}
	return strings.Join(notes, "\n")
}

// sort splits files into documents and sorts those.
func sort(files map[string]string) (*sorted, error) {
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	result := new(sorted)
	for _, manifest := range manifests {
		result.Manifests = append(result.Manifests, document{Path: manifest.Name, Text: manifest.Content})
	}
	for _, hook := range hooks {
		document := document{Path: hook.Path, Text: hook.Manifest}
		for _, event := range hook.Events {
			document.Events = append(document.Events, event.String())
		}
		result.Hooks = append(result.Hooks, document)
	}
	return result, nil
}
