// Package greet says hello.
package greet

import "fmt"

// To greets one person, politely.
func To(name string) string {
	return fmt.Sprintf("hello, %s", name)
}
