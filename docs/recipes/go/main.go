// Prints one line of JSON for each event: go run . URL
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
)

func main() {
	client := Client{URL: os.Args[1]}
	err := client.Run(func(event Event) {
		line, _ := json.Marshal(event)
		fmt.Println(string(line))
	})
	if err != nil {
		log.Fatal(err)
	}
}
