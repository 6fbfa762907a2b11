// Package runtime stands in for the real one.
package runtime

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Object is a type that release records mention and the engine never holds.
type Object any

// Scheme is a list of API versions.
type Scheme struct {
	versions []schema.GroupVersion
}

// NewScheme makes a scheme of versions as they are written in manifests.
func NewScheme(apiVersions ...string) *Scheme {
	scheme := new(Scheme)
	for _, apiVersion := range apiVersions {
		scheme.Add(apiVersion)
	}
	return scheme
}

// Add adds a version.
func (s *Scheme) Add(apiVersion string) {
	group, version, found := strings.Cut(apiVersion, "/")
	if !found {
		group, version = "", apiVersion
	}
	s.versions = append(s.versions, schema.GroupVersion{Group: group, Version: version})
}

// PrioritizedVersionsAllGroups gives the versions in the order in which they were added.
func (s *Scheme) PrioritizedVersionsAllGroups() []schema.GroupVersion {
	return s.versions
}
