"""Every architecture of Keras Applications at 224 px: what exporting all of them gives and takes."""

import io
import json
import subprocess
import sys
import tarfile

import pytest

from perfcast.models.keras_applications import installed_architectures

pytestmark = pytest.mark.timeout(3000)

EXPORT_ALL = """
import json, resource, sys
from pathlib import Path
from perfcast.models.keras_applications import make_spec
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import export_models
specs = [make_spec(builder, (224, 224, 3), {}) for builder in sys.argv[2].split(",")]
exports = export_models(specs, ArtifactStore(Path(sys.argv[1])))
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"peak_mb": peak_mb, "artifacts": {e.spec.builder: e.artifact for e in exports}}))
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """All architectures, exported by two processes in opposite orders."""
    builders = sorted(installed_architectures())
    folders = [tmp_path_factory.mktemp("forwards"), tmp_path_factory.mktemp("backwards")]
    orders = [builders, builders[::-1]]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", EXPORT_ALL, str(folder), ",".join(order)], stdout=subprocess.PIPE, text=True
        )
        for folder, order in zip(folders, orders, strict=True)
    ]
    answers = [json.loads(process.communicate()[0]) for process in processes]
    return folders[0], *answers


def test_export_order_does_not_change_the_bytes(exported):
    _, forwards, backwards = exported
    assert forwards["artifacts"] == backwards["artifacts"]
    assert len(forwards["artifacts"]) >= 40


def test_all_graphs_are_small(exported):
    folder, forwards, _ = exported
    archive = io.BytesIO()
    raw = 0
    with tarfile.open(fileobj=archive, mode="w:xz") as tar:
        for digest in forwards["artifacts"].values():
            (graph,) = (folder / "artifacts" / digest).glob("*graph.pb")
            raw += graph.stat().st_size
            tar.add(graph, arcname=digest)
    assert raw <= 40e6
    assert archive.tell() <= 5e6


def test_export_fits_the_memory_of_a_small_workstation(exported):
    assert max(answer["peak_mb"] for answer in exported[1:]) < 4096
