// Package schema stands in for the real one: groups, versions and kinds, as far as Helm names them.
package schema

// GroupVersion is an API version.
type GroupVersion struct {
	Group, Version string
}

func (gv GroupVersion) String() string {
	if gv.Group == "" {
		return gv.Version
	}
	return gv.Group + "/" + gv.Version
}

// GroupVersionKind is a kind of an API version.
type GroupVersionKind struct {
	Group, Version, Kind string
}

// GroupVersion gives the version.
func (gvk GroupVersionKind) GroupVersion() GroupVersion {
	return GroupVersion{Group: gvk.Group, Version: gvk.Version}
}

func (gvk GroupVersionKind) String() string {
	return gvk.GroupVersion().String() + ", Kind=" + gvk.Kind
}

// GroupVersionResource is a resource of an API version.
type GroupVersionResource struct {
	Group, Version, Resource string
}

// FromAPIVersionAndKind is called by Helm's own lookup only, which never runs here.
func FromAPIVersionAndKind(_, kind string) GroupVersionKind {
	return GroupVersionKind{Kind: kind}
}
