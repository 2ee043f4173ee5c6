#!/bin/sh
# Prints an event stream: ./read.sh URL [LAST_EVENT_ID]
exec curl -sN --fail --retry 3 ${2:+-H "Last-Event-ID: $2"} "$1"
