// Package v1 stands in for the real one: the types in the signatures of Helm's own lookup, which never runs here.
package v1

// GetOptions has no options.
type GetOptions struct{}

// ListOptions has no options.
type ListOptions struct{}

// APIResource is one kind of a group and version.
type APIResource struct {
	Name, Kind, Group, Version string
	Namespaced                 bool
}

// APIResourceList is what discovery would answer.
type APIResourceList struct {
	APIResources []APIResource
}
