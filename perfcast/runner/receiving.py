"""Files that whoever plans sends to this device: each whole and with the content that its name says, or not at all.

On standard input comes a line, {"files": {name: size in bytes}}; the answer says which of them are not here yet
({"event": "lacking", "names": [...]}). These then come one after the other, without anything between them. A name is
the SHA-256 of the content in hexadecimal, and an ending.
"""

import hashlib
import json
import os
import re
import sys
import time

from perfcast.runner.answers import emit
from perfcast.runner.protocol import LACKING, RECEIVED

NAME = re.compile(r"[0-9a-f]{64}\.[a-z0-9_.]{1,60}\Z")
PIECE_BYTES = 1 << 16
STALE_S = 86400
"""What a sender whose link was cut left half-received is of no use a day later."""


def receive(folder):
    """Receive files into a folder, which is made where there is none; answer `received` once all are on disk.

    Raises SystemExit, with the reason in words, where the link is cut, a content is not what its name says, or the
    disk refuses; what was whole by then stays.
    """
    source = sys.stdin.buffer
    try:
        os.makedirs(folder, exist_ok=True)
        sweep(folder)
        sizes = announced(source)
        lacking = [name for name, size in sorted(sizes.items()) if not is_there(os.path.join(folder, name), size)]
        emit(LACKING, names=lacking)
        for name in lacking:
            receive_file(folder, name, sizes[name], source)
    except OSError as error:
        raise SystemExit("files cannot be stored in %s (%s)" % (folder, error.strerror)) from None
    emit(RECEIVED, count=len(lacking))


def announced(source):
    """Return the sizes of the files that are announced, by name."""
    try:
        sizes = json.loads(source.readline().decode())["files"]
        if not all(NAME.match(name) and type(size) is int and size >= 0 for name, size in sizes.items()):
            raise ValueError("an impossible name or size")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SystemExit("the list of files to receive is malformed") from None
    return sizes


def is_there(path, size):
    """Say whether a file was received before: it has its name only once it was whole."""
    return os.path.isfile(path) and os.path.getsize(path) == size


def receive_file(folder, name, size, source):
    aside = os.path.join(folder, ".%s.%d" % (name, os.getpid()))
    digest, left = hashlib.sha256(), size
    try:
        with open(aside, "wb") as file:
            while left:
                piece = source.read(min(left, PIECE_BYTES))
                if not piece:
                    raise SystemExit("the connection was lost while files were sent")
                digest.update(piece)
                file.write(piece)
                left -= len(piece)
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != name.split(".")[0]:
            raise SystemExit("%s was corrupted on the way" % name)
        os.replace(aside, os.path.join(folder, name))
    finally:
        if os.path.exists(aside):
            os.remove(aside)


def sweep(folder):
    """Delete what was left half-received long ago."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        is_half = name.startswith(".") and NAME.match(name[1:].rpartition(".")[0])
        if is_half and time.time() - os.path.getmtime(path) > STALE_S:
            os.remove(path)
