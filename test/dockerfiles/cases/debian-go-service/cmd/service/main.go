package main

import (
	"fmt"
	"net/http"
	"os"

	"example.test/service/internal/greet"
)

var version = "unknown"

func main() {
	switch os.Args[1] {
	case "version":
		fmt.Println(version, os.Getuid())
	case "health":
		answer, err := http.Get("http://127.0.0.1:8080/")
		if err != nil || answer.StatusCode != http.StatusOK {
			os.Exit(1)
		}
	case "serve":
		http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, greet.To(r.URL.Query().Get("name")))
		})
		if err := http.ListenAndServe(":8080", nil); err != nil {
			panic(err)
		}
	}
}
