package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// pageSize is how many objects of a list are asked for at once.
const pageSize = 500

// everyNamespace is how the host is asked for a kind's objects wherever they are.
const everyNamespace = "*"

// object names an object, or the objects of a kind.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name,omitempty"`
}

// hostError is how the host answers a call that it does not fulfil.
type hostError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *hostError) Error() string {
	return e.Message
}

// lookup is the template function: an object, or the list of all of a kind; an empty map where there is none.
func (c *conversation) lookup(apiVersion, kind, namespace, name string) (map[string]any, error) {
	wanted := object{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name}
	if name == "" {
		return c.list(wanted)
	}
	found, err := c.get(wanted)
	if isClusterScoped(err) {
		// Helm does not look at the namespace then.
		wanted.Namespace = ""
		found, err = c.get(wanted)
	}
	if wanted.Namespace == "" && namespaceOf(found) != "" {
		// Helm asks for the name outside of any namespace, where there is no such object.
		found = nil
	}
	return orEmpty(found, err)
}

func (c *conversation) get(target object) (map[string]any, error) {
	return c.call(map[string]any{"call": "kubernetes.get", "target": target})
}

func (c *conversation) list(wanted object) (map[string]any, error) {
	items := []any{}
	options := map[string]any{"limit": pageSize}
	if wanted.Namespace == "" {
		wanted.Namespace = everyNamespace
	}
	for {
		page, err := c.call(map[string]any{
			"call":       "kubernetes.list",
			"apiVersion": wanted.APIVersion,
			"kind":       wanted.Kind,
			"namespace":  wanted.Namespace,
			"options":    options,
		})
		if isClusterScoped(err) {
			wanted.Namespace = everyNamespace
			continue
		}
		if err != nil {
			return orEmpty(nil, err)
		}
		more, _ := page["items"].([]any)
		items = append(items, more...)
		next, _ := page["continue"].(string)
		if next == "" {
			break
		}
		options["continue"] = next
	}
	return map[string]any{
		"apiVersion": wanted.APIVersion,
		"kind":       wanted.Kind + "List",
		"metadata":   map[string]any{},
		"items":      items,
	}, nil
}

func isClusterScoped(err error) bool {
	var refused *hostError
	return errors.As(err, &refused) && refused.Code == "invalid" && strings.Contains(refused.Message, "is cluster-scoped")
}

// orEmpty makes an empty map of what is not there, so that templates can write `if not (lookup …)`.
func orEmpty(found map[string]any, err error) (map[string]any, error) {
	var refused *hostError
	if errors.As(err, &refused) && refused.Code == "not-found" {
		err = nil
	}
	if found == nil || err != nil {
		found = map[string]any{}
	}
	return found, err
}

func namespaceOf(object map[string]any) string {
	metadata, _ := object["metadata"].(map[string]any)
	namespace, _ := metadata["namespace"].(string)
	return namespace
}

// call asks the host.
func (c *conversation) call(call any) (map[string]any, error) {
	if err := c.write(call); err != nil {
		return nil, err
	}
	var answer struct {
		OK    map[string]any `json:"ok"`
		Error *hostError     `json:"error"`
	}
	line, err := c.line()
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != nil {
		return nil, answer.Error
	}
	numbers(answer.OK)
	return answer.OK, nil
}

// numbers reads numbers as Kubernetes does: whole ones stay whole, so that templates print them as they are.
func numbers(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			value[key] = numbers(inner)
		}
	case []any:
		for i, inner := range value {
			value[i] = numbers(inner)
		}
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return whole
		}
		float, _ := value.Float64()
		return float
	}
	return value
}
