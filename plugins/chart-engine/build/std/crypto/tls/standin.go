package tls

// Config is a field of an HTTP client that has no network.
type Config struct{}
