vcl 4.1;

backend app {
  .host = "127.0.0.1:3000";
  # How long a stream may be silent.
  .between_bytes_timeout = 60s;
}

sub vcl_recv {
  # Otherwise clients that request the same URL wait for each other.
  if (req.http.Accept ~ "text/event-stream") {
    return (pass);
  }
}

sub vcl_backend_response {
  # After any line that turns compression on: Varnish ignores `no-transform`,
  # and compression would hold the stream back.
  if (beresp.http.Content-Type ~ "^text/event-stream") {
    set beresp.do_gzip = false;
    set beresp.do_stream = true;
  }
}
