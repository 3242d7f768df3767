"""Memory of a large network, on the real runtime."""

from dataclasses import replace

import pytest

from perfcast.bench.campaign import Campaign
from perfcast.bench.record import MeasurementStore
from perfcast.bench.target import Replicates, Target
from perfcast.bench.transport import LocalTransport
from perfcast.config import read_yaml
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import export_models
from perfcast.models.keras_applications import make_spec
from perfcast.progress import quiet

pytestmark = [pytest.mark.slow, pytest.mark.alone]


@pytest.fixture(scope="module")
def vgg16(tmp_path_factory, root):
    """VGG16 measured with its weights as variables: its record, and the bytes of its weights."""
    folder = tmp_path_factory.mktemp("vgg16")
    store = ArtifactStore(folder)
    exports = export_models([make_spec("VGG16", (224, 224, 3), {})], store)
    description = read_yaml(root / "config/targets/local.yaml")
    description["protocol"] = {"name": "published", "iterations": 5, "discard": 1}
    description["factors"]["fixed"]["weights_as"] = "variable"
    target = replace(Target.from_dict("local", description), replicates=Replicates(0.0, 0))
    measurements = MeasurementStore(folder)
    (key,) = Campaign(target, LocalTransport(), store, measurements).measure(exports, quiet, "measuring")
    return measurements.measurement(key), exports[0].programs[0].interface["weight_bytes"]


def test_variables_take_about_as_much_memory_as_the_weights(vgg16):
    record, weight_bytes = vgg16
    assert record["status"] == "measured", record["reason"]
    assert weight_bytes == 138_357_544 * 4
    memory = record["memory"]
    for peak in ("load_peak_bytes", "run_peak_bytes"):
        assert weight_bytes < memory[peak] - memory[f"null_{peak}"] < 1.5 * weight_bytes
