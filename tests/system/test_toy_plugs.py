"""Plugs that perfcast does not know go from export to report: nothing but their own modules and entries names them."""

import pandas as pd
import pytest
import yaml

from tests.system import toy
from tests.system.small_campaign import SmallCampaign

NAMES = ("ToyToolchain", "LayersJson", "layers.json", "unroll")


@pytest.fixture(scope="module")
def done(tmp_path_factory, root):
    """A campaign that is finished, of the toy toolchain under both values of its option."""
    folder = tmp_path_factory.mktemp("toy")
    toy.install(folder / "installed")
    campaign = SmallCampaign(folder, root, plugs=folder / "installed")
    campaign.prepare()
    campaign.edit("config.yaml", "shards: 2", "shards: 1")
    path = folder / "config/targets/quick.yaml"
    target = yaml.safe_load(path.read_text())
    target["factors"] = {"fixed": {"toolchain": "toy", "workload": "twice", "threads": 1}, "vary": {"unroll": [1, 3]}}
    path.write_text(yaml.safe_dump(target))
    answer = campaign.run()
    assert answer.code == 0, answer.said[-5000:]
    return folder


@pytest.fixture(scope="module")
def dataset(done):
    (path,) = done.glob("results/**/dataset.parquet")
    return pd.read_parquet(path)


def test_toy_plugs_work_from_export_to_report(done, dataset):
    measured = dataset[dataset["status"] == "measured"]
    assert set(measured["toolchain"]) == {"toy"}
    assert set(measured["workload"]) == {"twice"}
    assert set(measured["includes"]) == {"two inferences"}
    assert set(measured["unroll"]) == {1, 3}
    assert (measured["latency_ms"] > 0).all()
    (report,) = done.glob("results/**/report.html")
    assert "toy" in report.read_text()


def test_unconvertible_model_is_unsupported_with_a_reason(dataset):
    unsupported = dataset[dataset["status"] == "unsupported"]
    assert set(unsupported["reason"].str.contains("layers are more than 8")) == {True}
    assert set(dataset["status"]) == {"measured", "unsupported"}


def test_no_file_of_the_package_names_the_toy_plugs(root):
    texts = {path: path.read_text() for path in (root / "perfcast").rglob("*.py")}
    assert [path for path, text in texts.items() if any(name in text for name in NAMES)] == []
