// Package rest stands in for the real one: the engine has no way to a server but the host's calls.
package rest

// Config is never filled.
type Config struct{}
