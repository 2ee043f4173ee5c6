vcl 4.1;

backend app {
  .host = "127.0.0.1:3000";
  # How long a stream may be silent.
  .between_bytes_timeout = 60s;
}

sub vcl_recv {
  # A stream is of one client: others neither wait for it nor share it.
  if (req.http.Accept ~ "text/event-stream") {
    return (pass);
  }
}

sub vcl_backend_response {
  # Behind any line that switches it on: Varnish does not heed `no-transform`, and would hold the stream back.
  if (beresp.http.Content-Type ~ "^text/event-stream") {
    set beresp.do_gzip = false;
    set beresp.do_stream = true;
  }
}
