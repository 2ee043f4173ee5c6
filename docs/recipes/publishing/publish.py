import json
import os
import sys

import redis

COMMAND = "sse:{hub:}:publish:1"
client = redis.from_url(os.environ.get("REDIS_URL", "redis://localhost:6379"))
script = None


def publish(room, type, data, **more):
    """Publishes an event, and returns its cursor."""
    global script
    if script is None:
        text = client.get(COMMAND)
        if text is None:
            raise RuntimeError(f"{COMMAND} is missing: start the app first")
        script = client.register_script(text)
    fields = {"room": room, "type": type, "data": json.dumps(data), **more}
    pairs = [part for field in fields.items() for part in field]
    try:
        return script(keys=[COMMAND], args=pairs).decode()
    except redis.ResponseError as error:
        if "FORMAT" in str(error):
            script = None  # The app was upgraded: read it again.
        raise


if __name__ == "__main__":
    room, type, data, key = sys.argv[1:]
    print(publish(room, type, json.loads(data), key=key))
