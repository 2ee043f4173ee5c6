"""Reads an event stream. Reconnects, and continues after the last event."""

import random
import time
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

# Three keep-alive intervals of the server. After a longer silence, reconnect.
SILENCE_S = 45
MAX_PAUSE_S = 30


def events(url, headers=None):
    """Yields (type, data, id) until the server answers 204.

    Raises HTTPError for a refusal that a retry cannot fix, such as 401.
    """
    last_event_id, retry_s, failures = "", 3.0, 0
    while True:
        request = Request(url, headers={"Accept": "text/event-stream", **(headers or {})})
        if last_event_id:
            request.add_header("Last-Event-ID", last_event_id)
        failures += 1
        retry_after_s = 0.0
        try:
            with urlopen(request, timeout=SILENCE_S) as response:
                if response.status == 204:
                    return
                for block in blocks(response):
                    retry_s = float(block.get("retry", retry_s * 1000)) / 1000
                    last_event_id = block.get("id", last_event_id)
                    if "id" in block or "data" in block:
                        failures = 0
                    if "data" in block:
                        yield block.get("event", "message"), block["data"], last_event_id
        except HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise
            retry_after = error.headers.get("Retry-After", "")
            retry_after_s = float(retry_after) if retry_after.isdigit() else 0.0
        except (OSError, HTTPException):
            pass  # The connection failed. Try again.
        limit_s = min(retry_s * 2 ** min(failures, 10), MAX_PAUSE_S)
        pause_s = random.uniform(0, limit_s) if failures else retry_s
        time.sleep(max(pause_s, retry_after_s))


def blocks(lines):
    """Yields the fields of each block. A block that is cut off is dropped."""
    fields = {}
    for line in lines:
        if not line.endswith(b"\n"):
            return
        name, _, value = line.decode().rstrip("\r\n").partition(":")
        value = value.removeprefix(" ")
        if line in (b"\n", b"\r\n"):
            yield fields
            fields = {}
        elif name == "data" and "data" in fields:
            fields["data"] += "\n" + value
        else:
            fields[name] = value
