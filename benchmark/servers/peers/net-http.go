// Go's net/http: a goroutine and a channel for each reader, Write and Flush for each turn.
//
// Control on stdin and stdout, by line, as in floor.c. A reader that stops reading stops all others
// when its channel is full.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
)

var (
	lock    sync.Mutex
	readers = map[chan []byte]struct{}{}
)

func events(w http.ResponseWriter, r *http.Request) {
	turns := make(chan []byte, 64)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache, no-transform")
	fmt.Fprint(w, ": connected\n\n")
	flusher := w.(http.Flusher)
	flusher.Flush()
	lock.Lock()
	readers[turns] = struct{}{}
	lock.Unlock()
	for {
		select {
		case turn := <-turns:
			w.Write(turn)
			flusher.Flush()
		case <-r.Context().Done():
			// The publisher may be waiting for room in this channel, with the lock.
			go func() {
				for range turns {
				}
			}()
			lock.Lock()
			delete(readers, turns)
			close(turns)
			lock.Unlock()
			return
		}
	}
}

func publish(turn []byte) {
	lock.Lock()
	defer lock.Unlock()
	for turns := range readers {
		turns <- turn
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() { panic(http.Serve(listener, http.HandlerFunc(events))) }()

	var turn bytes.Buffer
	id := 0
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch line := lines.Text(); line {
		case "":
			publish(append([]byte(nil), turn.Bytes()...))
			turn.Reset()
		case "cpu":
			var used syscall.Rusage
			syscall.Getrusage(syscall.RUSAGE_SELF, &used)
			fmt.Println((used.Utime.Nano() + used.Stime.Nano()) / 1000)
		default:
			id++
			fmt.Fprintf(&turn, "event: n\nid: %d\ndata: %s\n\n", id, line)
		}
	}
}
