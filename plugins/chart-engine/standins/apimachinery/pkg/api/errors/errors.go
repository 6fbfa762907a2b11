// Package errors stands in for the real one.
package errors

// IsNotFound is asked by Helm's own lookup only, which never runs here.
func IsNotFound(error) bool {
	return false
}
