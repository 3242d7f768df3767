"""A toolchain, a program format and a workload that perfcast does not know: one module each, one entry each."""

ENTRY_POINTS = """
[perfcast.toolchains]
toy = tests.system.toy.toolchain:ToyToolchain

[perfcast.converters]
layers.json = tests.system.toy.converter:LayersJson

[perfcast.workloads]
twice = tests.system.toy.workload:Twice
"""


def install(folder):
    """Write what makes a folder on Python's path say that these are installed."""
    place = folder / "toy-1.0.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (place / "entry_points.txt").write_text(ENTRY_POINTS)
