"""Training measured through the campaign's door, with the real runner and TensorFlow."""

from dataclasses import replace

import pytest

from perfcast.bench.campaign import Campaign
from perfcast.bench.record import MeasurementStore
from perfcast.bench.target import Protocol, Replicates, Target
from perfcast.bench.transport import LocalTransport
from perfcast.config import read_yaml
from perfcast.dataset.measured import measured_dataset
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import export_models
from perfcast.models.classic import make_spec as classic
from perfcast.models.convolution import make_spec as convolution
from perfcast.models.synthetic import make_spec as synthetic
from perfcast.progress import quiet

pytestmark = pytest.mark.heavy

CNN = {"conv_layers": 2, "filter_size": 3, "filters": 8, "strides": 1}
SPECS = [
    synthetic("basic_model", (32, 32, 3), CNN),
    classic("lenet", (28, 28, 3), {}),
    classic("lstm", (8, 8, 3), {"units": 8, "embedding": 8, "vocabulary": 50}),
]
FACTORS = {
    "fixed": {"threads": 1, "batch": 4, "optimizer": "adam"},
    "vary": {"workload": ["inference", "forward_backward", "training_step"]},
}


def campaign_of(root, folder, factors):
    description = read_yaml(root / "config/targets/local.yaml") | {"factors": factors}
    target = Target.from_dict("local", description)
    protocol = Protocol("published", 10, 4, visits=2)
    target = replace(target, replicates=Replicates(0.0, 0), protocol=protocol, time_limit_s=60.0)
    return Campaign(target, LocalTransport(folder / "log"), ArtifactStore(folder), MeasurementStore(folder))


def measured(campaign, specs):
    exports = export_models(specs, campaign.artifacts, formats=campaign.target.formats)
    keys = campaign.measure(exports, quiet, "measuring")
    return measured_dataset(campaign.measurements, campaign.artifacts, keys)


@pytest.fixture(scope="module")
def dataset(root, tmp_path_factory):
    return measured(campaign_of(root, tmp_path_factory.mktemp("training"), FACTORS), SPECS)


def test_each_workload_is_measured_under_its_own_factors(dataset):
    assert set(dataset["status"]) == {"measured"}, set(dataset["reason"])
    names = ["workload", "optimizer", "trained", "learning_rate"]
    found = dataset[names].astype(object).where(dataset[names].notna(), None).itertuples(index=False, name=None)
    assert set(found) == {
        ("inference", None, None, None),
        ("forward_backward", None, "all", None),
        ("training_step", "adam", "all", 0.001),
    }
    assert len(dataset) == 3 * len(SPECS)


def test_training_takes_longer_than_inference(dataset):
    times = dataset.pivot_table(values="latency_ms", index="model", columns="workload", aggfunc="max")
    assert (times["forward_backward"] > times["inference"]).all()
    assert (times["training_step"] > times["inference"]).all()


def test_a_diverging_loss_is_rejected_and_the_others_are_measured(root, tmp_path):
    # So fast that it diverges within the few steps of one process, which may have a single visit.
    fixed = {"threads": 1, "batch": 4, "workload": "training_step", "learning_rate": 1e9}
    specs = [convolution("convolution", (8, 8, 3), {"kernel": 3, "channels": 4, "filters": 4}), SPECS[1]]
    dataset = measured(campaign_of(root, tmp_path, {"fixed": fixed}), specs).set_index("model")
    diverged = dataset.loc["convolution_3_4_4_8"]
    assert diverged["status"] == "rejected"
    assert "the loss is" in diverged["reason"]
    assert "at step" in diverged["reason"]
    assert dataset.loc["lenet_28", "status"] == "measured"


def test_what_cannot_be_trained_is_unsupported_with_the_reason(root, tmp_path):
    fixed = {"threads": 1, "workload": "forward_backward", "trained": "last_9"}
    dataset = measured(campaign_of(root, tmp_path, {"fixed": fixed}), SPECS[:1])
    assert list(dataset["status"]) == ["unsupported"]
    assert "layers with weights, not 9" in dataset["reason"].iloc[0]


def test_parts_of_a_network_are_trained_by_the_runner(root, tmp_path):
    fixed = {"threads": 1, "batch": 4, "workload": "training_step", "optimizer": "momentum"}
    trained = ["layers_40", "filters_40", "only_" + "+".join(["classes"] * 9)]  # Longer than a file's ending may be.
    campaign = campaign_of(root, tmp_path, {"fixed": fixed, "vary": {"trained": trained}})
    dataset = measured(campaign, SPECS[1:2])
    assert set(dataset["status"]) == {"measured"}, set(dataset["reason"])
    assert set(dataset["trained"]) == set(trained)
