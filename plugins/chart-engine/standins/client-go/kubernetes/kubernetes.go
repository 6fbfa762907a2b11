// Package kubernetes stands in for the real one: Helm imports it only so that the version of client-go, from which it
// takes its default Kubernetes version, stands in the program's build information.
package kubernetes
