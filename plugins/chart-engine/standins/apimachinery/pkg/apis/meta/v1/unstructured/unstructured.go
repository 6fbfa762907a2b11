// Package unstructured stands in for the real one: the types in the signatures of Helm's own lookup, which never runs
// here.
package unstructured

// Unstructured is an object.
type Unstructured struct{}

// UnstructuredContent is never reached.
func (*Unstructured) UnstructuredContent() map[string]any {
	return nil
}

// UnstructuredList is a list of objects.
type UnstructuredList struct{}

// UnstructuredContent is never reached.
func (*UnstructuredList) UnstructuredContent() map[string]any {
	return nil
}
