// Reads an event stream. Reconnects, and continues after the last event.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"math/rand"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Three keep-alive intervals of the server. After a longer silence, reconnect.
const silence = 45 * time.Second
const maxPause = 30 * time.Second

type Event struct {
	Type string `json:"type"`
	Data string `json:"data"`
	ID   string `json:"id"`
}

type Client struct {
	URL         string
	Header      http.Header
	LastEventID string
	retry       time.Duration
	failures    int
}

// Run calls handle for each event. It returns nil when the server answers 204,
// and an error for a refusal that a retry cannot fix, such as 401.
func (c *Client) Run(handle func(Event)) error {
	c.retry = 3 * time.Second
	rand.Seed(time.Now().UnixNano())
	for {
		c.failures++
		status, retryAfter := c.read(handle)
		if status == http.StatusNoContent {
			return nil
		}
		if status >= 300 && status < 500 && status != http.StatusTooManyRequests {
			return fmt.Errorf("the server answered %d", status)
		}
		pause := c.retry
		if c.failures > 0 {
			limit := c.retry
			for n := 0; n < c.failures && limit < maxPause; n++ {
				limit *= 2
			}
			pause = time.Duration(rand.Float64() * float64(limit))
		}
		if pause < retryAfter {
			pause = retryAfter
		}
		time.Sleep(pause)
	}
}

// read makes one request. The status is 0 when the connection failed.
func (c *Client) read(handle func(Event)) (status int, retryAfter time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	watch := time.AfterFunc(silence, cancel)
	defer watch.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	for name, values := range c.Header {
		request.Header[name] = values
	}
	request.Header.Set("Accept", "text/event-stream")
	if c.LastEventID != "" {
		request.Header.Set("Last-Event-ID", c.LastEventID)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, 0
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return response.StatusCode, time.Duration(seconds) * time.Second
	}

	event := Event{Type: "message", ID: c.LastEventID}
	var data []string
	for lines := bufio.NewReader(response.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil { // An event that is cut off is dropped.
			return http.StatusOK, 0
		}
		watch.Reset(silence)
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case name == "data":
			data = append(data, value)
		case name == "event":
			event.Type = value
		case name == "id":
			event.ID = value
			c.failures = 0
		case name == "retry":
			if ms, err := strconv.Atoi(value); err == nil {
				c.retry = time.Duration(ms) * time.Millisecond
			}
		case line == "\n" || line == "\r\n":
			c.LastEventID = event.ID
			if data != nil {
				c.failures = 0
				event.Data = strings.Join(data, "\n")
				handle(event)
			}
			event = Event{Type: "message", ID: c.LastEventID}
			data = nil
		}
	}
}
