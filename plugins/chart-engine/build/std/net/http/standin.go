// The HTTP client that charts get: none. Helm's schema validation would fetch what a schema refers to.

package http

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/url"
	"time"
)

// Client has no network.
type Client struct {
	Transport any
	Timeout   time.Duration
}

// Transport is never used.
type Transport struct {
	Proxy           func(*Request) (*url.URL, error)
	TLSClientConfig *tls.Config
}

// Header holds header fields.
type Header map[string][]string

// Set sets a field.
func (h Header) Set(name, value string) { h[name] = []string{value} }

// Request is never sent.
type Request struct {
	Header Header
}

// Response never comes.
type Response struct {
	StatusCode int
	Body       io.ReadCloser
}

// NoBody is the body of requests without one.
var NoBody io.Reader

// ProxyFromEnvironment knows none.
func ProxyFromEnvironment(*Request) (*url.URL, error) { return nil, nil }

// NewRequestWithContext makes a request that is never sent.
func NewRequestWithContext(context.Context, string, string, io.Reader) (*Request, error) {
	return &Request{Header: Header{}}, nil
}

// Do fails.
func (*Client) Do(*Request) (*Response, error) { return nil, errors.New("no network in the sandbox") }
