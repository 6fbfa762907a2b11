//go:build lazyschemas

package main

import "github.com/santhosh-tekuri/jsonschema/v6"

// prepareSchemas makes the JSON Schema library ready, which takes longer than rendering a small chart.
func prepareSchemas() {
	jsonschema.CompileMetaschemas()
}
