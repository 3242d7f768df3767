"""Six networks under four combinations of factors, through the real Snakefile: from sheet to report."""

import json
import shutil

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from perfcast import load_predictor
from perfcast.cli import main
from tests.system.small_campaign import SmallCampaign

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(900)]

ROWS = [
    f"synthetic,basic_model,{size},conv_layers={layers};filter_size=3;filters={filters};strides=1"
    for size, layers, filters in ((48, 1, 16), (48, 3, 32), (64, 2, 16))
] + [f"dense,mlp,{size},layers={layers};units=256" for size, layers in ((32, 1), (32, 3), (48, 2))]
SHEET = "\n".join(["source,builder,input_size,parameters", *ROWS]) + "\n"
FIT = {"splits": 1, "algorithms": ["poly"]}
CONFIG = {"target": "varied", "shards": 1, "models": {"sheets": ["sheet.csv"]}, "fit": FIT}
COMBINATIONS = {(threads, batch) for threads in (1, 2) for batch in (1, 4)}


@pytest.fixture(scope="module")
def campaign(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("varied")
    target = yaml.safe_load((root / "config/targets/local.yaml").read_text())
    target["factors"] = {"vary": {"threads": [1, 2], "batch": [1, 4]}}
    target["protocol"] = {"name": "published", "iterations": 24, "discard": 4, "visits": 2}
    target["replicates"] = {"share": 0.0, "count": 0}
    (folder / "config/targets").mkdir(parents=True)
    (folder / "config/targets/varied.yaml").write_text(yaml.safe_dump(target))
    (folder / "sheet.csv").write_text(SHEET)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    answer = SmallCampaign(folder, root).run()
    assert answer.code == 0, answer.said
    return folder


def test_each_network_is_measured_under_each_combination(campaign):
    dataset = pd.read_parquet(campaign / "results/varied/dataset.parquet")
    assert len(dataset) == 24
    assert dataset["model"].nunique() == 6
    for _, rows in dataset.groupby("model"):
        assert set(zip(rows["threads"], rows["batch"], strict=True)) == COMBINATIONS
    assert set(dataset["status"]) == {"measured"}


def test_unmeasured_combination_is_out_of_domain(campaign):
    predictor = load_predictor(campaign / "results/varied/predictor")
    features = pd.read_parquet(campaign / "results/features.parquet")
    cnns = features[features["family"] == "basic_model"]
    one, four = (_latency(predictor.predict(cnns, {"threads": 1, "batch": batch})) for batch in (1, 4))
    assert (four["prediction"].to_numpy() > one["prediction"].to_numpy()).all()
    assert one["in_domain"].all()
    far = _latency(predictor.predict(cnns, {"threads": 1, "batch": 4096}))
    assert not far["in_domain"].any()


def _latency(predictions):
    return predictions[predictions["metric"] == "latency_ms"]


def test_predict_uses_the_given_factors(campaign, monkeypatch):
    monkeypatch.chdir(campaign)
    asked = ["predict", "basic_model_2_3_16_1_64", "--predictor", "results/varied/predictor"]
    asked += ["--sheet", "sheet.csv", "--store", "results/store", "--batch", "2", "--threads", "2"]
    answer = CliRunner().invoke(main, asked, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    assert "latency_ms" in answer.output
    refused = CliRunner().invoke(main, [*asked[:-2], "--toolchain", "litert"], catch_exceptions=False)
    assert refused.exit_code == 2


def test_report_distinguishes_the_combinations(campaign):
    page = (campaign / "results/varied/report.html").read_text()
    assert "basic_model_2_3_16_1_64 · threads 1 · batch 4" in page


def test_value_added_to_a_factor_measures_only_new_combinations(campaign, root, tmp_path):
    folder = shutil.copytree(campaign, tmp_path / "wider")
    path = folder / "config/targets/varied.yaml"
    target = yaml.safe_load(path.read_text())
    target["factors"] = {"vary": {"threads": [1, 2], "batch": [1, 4, 8]}, "exclude": [{"threads": 2, "batch": 8}]}
    path.write_text(yaml.safe_dump(target))
    measured = {path.name: path.stat().st_mtime_ns for path in (folder / "results/store/measurements").iterdir()}
    answer = SmallCampaign(folder, root).run("--until", "build_dataset")
    assert answer.code == 0, answer.said
    after = {path.name: path.stat().st_mtime_ns for path in (folder / "results/store/measurements").iterdir()}
    assert {name: after[name] for name in measured} == measured
    new = [json.loads((folder / "results/store/measurements" / name).read_text()) for name in after.keys() - measured]
    assert len(new) == 6
    assert {(record["record"]["factors"]["threads"], record["record"]["factors"]["batch"]) for record in new} == {
        (1, 8)
    }
