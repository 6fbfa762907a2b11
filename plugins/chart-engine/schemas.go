//go:build !lazyschemas

package main

// prepareSchemas has nothing to do: the JSON Schema library is ready when the program starts.
func prepareSchemas() {}
