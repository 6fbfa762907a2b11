package main

import (
	"errors"
	"fmt"
	"io"

	"helm.sh/helm/v4/pkg/chart/common"
)

// request is the first line. Behind it stand the bytes of all inputs in the order in which it names them: chart,
// values, set files.
type request struct {
	Release struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
		Revision  int    `json:"revision"`
	} `json:"release"`
	Config struct {
		// Chart holds the files that Helm's loader would read, in its order.
		Chart []*input `json:"chart"`
		// Values holds the values files, in the order of the command line.
		Values []*input `json:"values"`
		// SetFiles holds the files that SetFile may name.
		SetFiles []*input `json:"setFiles"`

		Set        []string `json:"set"`
		SetString  []string `json:"setString"`
		SetFile    []string `json:"setFile"`
		SetJSON    []string `json:"setJson"`
		SetLiteral []string `json:"setLiteral"`

		// Lent is what an upgrade may take over from the revision before.
		Lent *lent `json:"lent"`

		IsUpgrade            bool `json:"isUpgrade"`
		SkipSchemaValidation bool `json:"skipSchemaValidation"`
		SubNotes             bool `json:"subNotes"`

		// KubeVersion is what the user says; empty: Helm's default.
		KubeVersion string `json:"kubeVersion"`
		// APIVersions come behind Helm's defaults.
		APIVersions []string `json:"apiVersions"`
		// Cluster is what a cluster says of itself; it takes the place of both.
		Cluster *cluster `json:"cluster"`
		// Lookup lets templates look into the cluster; without it they find nothing there.
		Lookup bool `json:"lookup"`

		// Sort splits and sorts the documents as Helm does, which takes longer than everything else.
		Sort bool `json:"sort"`
		// Record adds what a release record holds.
		Record bool `json:"record"`
	} `json:"config"`
}

// cluster is what discovery gives.
type cluster struct {
	Version     string   `json:"version"`
	Major       string   `json:"major"`
	Minor       string   `json:"minor"`
	APIVersions []string `json:"apiVersions"`
}

// input is a file that the host has read, or what went wrong when it did.
type input struct {
	Name string `json:"name"`
	Size int    `json:"size"`
	// ModTime counts nanoseconds since 1970.
	ModTime int64  `json:"modTime"`
	Error   string `json:"error"`

	data []byte
}

// readInputs reads the bytes behind the first line.
func (r *request) readInputs(from io.Reader) error {
	for _, inputs := range [][]*input{r.Config.Chart, r.Config.Values, r.Config.SetFiles} {
		for _, input := range inputs {
			input.data = make([]byte, input.Size)
			if _, err := io.ReadFull(from, input.data); err != nil {
				return fmt.Errorf("reading %s: %w", input.Name, err)
			}
		}
	}
	return nil
}

// read gives the bytes, as reading the file would have.
func (i *input) read() ([]byte, error) {
	if i.Error != "" {
		return nil, errors.New(i.Error)
	}
	return i.data, nil
}

// capabilities is what templates see of the cluster, and of Helm.
func (r *request) capabilities() (*common.Capabilities, error) {
	capabilities := common.DefaultCapabilities.Copy()
	// The released program was built by another Go, and charts may print this.
	capabilities.HelmVersion.GoVersion = "go1.27.2"
	if cluster := r.Config.Cluster; cluster != nil {
		capabilities.KubeVersion = common.KubeVersion{
			Version: cluster.Version,
			Major:   cluster.Major,
			Minor:   cluster.Minor,
		}
		capabilities.APIVersions = cluster.APIVersions
		return capabilities, nil
	}
	if text := r.Config.KubeVersion; text != "" {
		version, err := common.ParseKubeVersion(text)
		if err != nil {
			return nil, fmt.Errorf("invalid kube version '%s': %w", text, err)
		}
		capabilities.KubeVersion = *version
	}
	capabilities.APIVersions = append(capabilities.APIVersions, r.Config.APIVersions...)
	return capabilities, nil
}
