// Package version stands in for the real one: it reads the version of a Kubernetes, with the same texts where it cannot.
package version

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is a row of numbers.
type Version struct {
	components []uint
}

// ParseGeneric reads two or more numbers with dots between them. A "v" may stand before them, and anything behind.
func ParseGeneric(text string) (*Version, error) {
	numbers := strings.TrimPrefix(strings.TrimLeft(text, " \t\n\f\r"), "v")
	components := leadingNumbers(numbers)
	if components == nil || strings.Contains(numbers, "\n") {
		return nil, fmt.Errorf("could not parse %q as version", text)
	}
	if len(components) < 2 {
		return nil, fmt.Errorf("illegal version string %q", text)
	}
	if first := components[0]; len(first) > 1 && first[0] == '0' {
		return nil, fmt.Errorf("illegal zero-prefixed version component %q in %q", first, text)
	}
	version := &Version{components: make([]uint, len(components))}
	for i, component := range components {
		number, err := strconv.ParseUint(component, 10, 0)
		if err != nil {
			return nil, fmt.Errorf("illegal non-numeric version component %q in %q: %w", component, text, err)
		}
		version.components[i] = uint(number)
	}
	return version, nil
}

// leadingNumbers gives the digits between dots at the beginning of a text. A dot that no digit follows is not part of it.
func leadingNumbers(text string) []string {
	var numbers []string
	for {
		digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
		if digits == 0 {
			return numbers
		}
		numbers = append(numbers, text[:digits])
		rest, found := strings.CutPrefix(text[digits:], ".")
		if !found {
			return numbers
		}
		text = rest
	}
}

// Major is the first number.
func (v *Version) Major() uint {
	return v.components[0]
}

// Minor is the second number.
func (v *Version) Minor() uint {
	return v.components[1]
}

func (v *Version) String() string {
	texts := make([]string, len(v.components))
	for i, component := range v.components {
		texts[i] = strconv.FormatUint(uint64(component), 10)
	}
	return strings.Join(texts, ".")
}
