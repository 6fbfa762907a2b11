// Package v1beta1 stands in for the real one: all that Helm needs of it is its name among the known API versions.
package v1beta1

import "k8s.io/apimachinery/pkg/runtime"

// AddToScheme adds the version.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.Add("apiextensions.k8s.io/v1beta1")
	return nil
}
