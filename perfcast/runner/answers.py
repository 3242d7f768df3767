"""Answers: a JSON object on a line of standard output each."""

import json
import sys

from perfcast.runner.shapes import answer_of


def emit(event, **values):
    """Write a line of the answer."""
    print(json.dumps(answer_of(event, values)), flush=True)


def wait_for_acknowledgement():
    """Wait for the line that says that the last answer is stored: nothing else runs during the next measurement."""
    if not sys.stdin.readline():
        raise SystemExit("the parent process has ended")
