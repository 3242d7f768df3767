"""Reading a model's program: a file as it is, or compressed."""

import gzip


def read_program(path):
    """Return the bytes of a program's file; where its name ends in .gz, of what it holds compressed."""
    with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
        return file.read()
