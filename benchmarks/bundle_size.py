"""How large an offline bundle of 1,000 models is, 400 of them of Keras Applications.

    python benchmarks/bundle_size.py

The 400 are the project's own sheet and, to fill up, its first rows at further sizes; the others are random CNNs.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

from model_lists import ROOT, exported

from perfcast.bench.offline.bundle import write_bundle
from perfcast.bench.plans import programs_of
from perfcast.bench.target import Target, read_description
from perfcast.export.artifacts import ArtifactStore
from perfcast.models.sheet import read_sheet
from perfcast.models.synthetic import SyntheticRequest, draw

APPLICATIONS, RANDOM = 400, 600
FURTHER_SIZES = (112, 208)


def specs():
    """Return 1,000 different models."""
    sheet = read_sheet(ROOT / "config/models/keras_applications.csv")
    further = [replace(spec, input_shape=(size, size, 3)) for size in FURTHER_SIZES for spec in sheet]
    applications = {}
    for spec in [*sheet, *further]:
        applications.setdefault(spec.model, spec)
    return [*list(applications.values())[:APPLICATIONS], *draw(SyntheticRequest(count=RANDOM, seed=0)).specs]


def main():
    description = read_description(ROOT / "config/targets/jetson_nano.yaml")
    target = Target.from_dict("jetson_nano", description)
    with tempfile.TemporaryDirectory() as folder:
        models = specs()
        if len({spec.model for spec in models}) != APPLICATIONS + RANDOM:
            raise AssertionError("some are the same")
        exports = exported(models, Path(folder) / "store")
        artifacts = ArtifactStore(Path(folder) / "store")
        graphs = programs_of(artifacts, exports, target)
        raw = sum(path.stat().st_size for path in graphs.values())
        start = time.monotonic()
        packed = write_bundle(Path(folder) / "drive", target, description, exports, artifacts)
        seconds = time.monotonic() - start
        print(f"{len(exports)} models, {len(graphs)} graphs of {raw * 1e-6:.1f} MB")
        print(f"offline bundle: {packed.size_bytes * 1e-6:.1f} MB, written in {seconds:.0f} s")


if __name__ == "__main__":
    main()
