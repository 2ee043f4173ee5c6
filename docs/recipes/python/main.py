"""Prints one line of JSON for each event: python3 main.py URL"""

import json
import sys

from event_stream import events

for type, data, id in events(sys.argv[1]):
    print(json.dumps({"type": type, "data": data, "id": id}), flush=True)
