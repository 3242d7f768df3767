"""Bytes and seconds to upload 100 models to a target, over a private SSH server on loopback.

    PYTHONPATH=. python benchmarks/upload.py

Half of the models are of Keras Applications, half random CNNs. Printed too: what a second upload sends, and what
an offline bundle of the same models takes.
"""

import contextlib
import itertools
import os
import tempfile
import time
from pathlib import Path

from model_lists import ROOT, exported

from perfcast.bench.factory import open_transport
from perfcast.bench.offline.bundle import write_bundle
from perfcast.bench.plans import programs_of
from perfcast.bench.target import Target, read_description
from perfcast.export.artifacts import ArtifactStore
from perfcast.models.sheet import read_sheet
from perfcast.models.synthetic import SyntheticRequest, draw
from tests.system.ssh_board import NAME, SshBoard

EACH = 50


def specs():
    """Return models of both kinds, spread over the sheet of Keras Applications."""
    sheet = read_sheet(ROOT / "config/models/keras_applications.csv")
    spread = itertools.islice(sheet, 0, None, len(sheet) // EACH)
    return [*itertools.islice(spread, EACH), *draw(SyntheticRequest(count=EACH, seed=0)).specs]


def main():
    description = read_description(ROOT / "config/targets/raspberry_pi4.yaml")
    description["device"]["architecture"] = None
    description["transport"] = {"kind": "ssh"}
    target = Target.from_dict("raspberry_pi4", description)
    with tempfile.TemporaryDirectory() as folder:
        exports = exported(specs(), Path(folder) / "store")
        artifacts = ArtifactStore(Path(folder) / "store")
        graphs = programs_of(artifacts, exports, target)
        raw = sum(path.stat().st_size for path in graphs.values())
        print(f"{len(exports)} models, {raw * 1e-6:.1f} MB of graphs")
        board = SshBoard.start(Path(folder) / "board")
        os.environ.update(board.environment)
        with contextlib.ExitStack() as stack:
            stack.callback(board.down)
            transport = open_transport(target, [NAME])
            for when in ("first", "second"):
                start = time.monotonic()
                with transport.claim() as device:
                    claimed = time.monotonic()
                    _, sent = device.ship(graphs)
                print(
                    f"{when} time: {claimed - start:.2f} s to connect, look and bring the runner; {sent.files} files, "
                    f"{sent.size_bytes * 1e-6:.2f} MB, {sent.seconds:.2f} s to send"
                )
        packed = write_bundle(Path(folder) / "drive", target, description, exports, artifacts)
        print(f"offline bundle: {packed.size_bytes * 1e-6:.2f} MB")


if __name__ == "__main__":
    main()
