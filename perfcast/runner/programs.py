"""Reading a model's graph: a file as it is, or compressed."""

import gzip


def read_graph(path):
    """Return the bytes of a graph's file; where its name ends in .gz, of what it holds compressed."""
    with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
        return file.read()
