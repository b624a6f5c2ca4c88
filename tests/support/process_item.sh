#!/bin/sh
# The command that the document's error-handling example finds on PATH: works for every item but `item2`.
if [ "$1" = item2 ]; then
    echo "cannot process $1" >&2
    exit 7
fi
echo "processed $1"
