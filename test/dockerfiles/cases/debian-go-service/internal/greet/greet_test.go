package greet

import "testing"

func TestTo(t *testing.T) {
	if got := To("ada"); got != "hello, ada" {
		t.Fatal(got)
	}
}
