"""What a sweep prints and writes, on results that were made up."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from perfcast.bench.target import Target
from perfcast.errors import UsageError
from perfcast.progress import quiet
from perfcast.sweeps import training
from perfcast.sweeps.combinations import combinations_of
from perfcast.sweeps.config import parse_ini
from perfcast.sweeps.data.corpus import Corpus, Labelled
from perfcast.sweeps.measuring import Evaluated, evaluated, sweep_target
from perfcast.sweeps.output import _FROM_MEASUREMENT, dataset_of, published_table, write_family
from perfcast.sweeps.report import heading_of, predictions_of
from perfcast.sweeps.sweep import Result, Sweep
from perfcast.sweeps.training import Trained, training_store
from tests.measured import FOLDER, needs

PUBLISHED = FOLDER / "complexity_scaling/mnist-acer.csv"
TEXTS = ("a dark , dull thriller", "although it lacks detail\x1b[31m")
SMALL = "Tot_Layers = 4 6\nFilter_Size = 3\nBatch_Size = 1 4\nEvaluation_Iterations = 2\n"


def config_of(lines=SMALL):
    return parse_ini(f"[CONFIGURATION]\n{lines}", "made_up.ini")


def measured(total_s=1.0, **changes):
    values = {"samples_s": (total_s / 4, 3 * total_s / 4), "typical_s": 0.5, "low_s": 0.4, "high_s": 0.6}
    values |= {"status": "trusted", "reason": "", "row": dict.fromkeys(_FROM_MEASUREMENT, 1)}
    return Evaluated(**values | changes)


def swept(family="text", lines=SMALL, found=measured):
    config = config_of(lines)
    classes = ("negative", "positive") if family == "text" else tuple("0123456789")
    items = TEXTS if family == "text" else np.zeros((2, 8, 8), np.uint8)
    part = Labelled(items, np.array([0, 1]))
    corpus = Corpus("made up", True, classes, part, part)
    sweep = Sweep(config, family, tuple(combinations_of(config, family)), corpus)
    trained = Trained(0.5, (0, 0), (0.7,), 12.345)
    return sweep, [Result(one, trained, found()) for one in sweep.combinations]


def test_the_documents_output_is_printed():
    sweep, results = swept()
    lines = heading_of(sweep, results[0], ["<structure>"])
    expected = [
        "Text model with 4 layers, batch_size = 1 and convolution size = 3",
        "Evaluation starting...",
        "Iterations of evaluation: 2",
        "Inputs to predict for each iteration: 2000",
        "Total elapsed time: 1.0s",
        "Prediction time: 0.5s",
    ]
    assert [line for line in lines if line in expected] == expected
    assert "Status: trusted; typically 0.5s, 95% interval 0.4 to 0.6s" in lines
    assert "Data: made up" in lines
    assert any(line.startswith("Accuracy: 0.5000 of 2 inputs") for line in lines)
    assert (
        "Degrees of freedom: layers 4, filter size 3, filters 64, embedding 256, vocabulary 20000, input 56, "
        "training batch 1, inference batch 1" in lines
    )


def test_predictions_stand_beside_what_is_right():
    sweep, results = swept()
    first, second = predictions_of(sweep, results[0])
    assert first == ["CORRECT", "Actual: negative | Predicted: negative", "Review: a dark , dull thriller"]
    assert second[:2] == ["WRONG", "Actual: positive | Predicted: negative"]
    assert "\x1b" not in second[2]
    images, results = swept("fashion_mnist")
    assert list(predictions_of(images, results[0]))[1] == ["WRONG", "Actual: 1 | Predicted: 0"]


def test_what_was_not_measured_says_why():
    sweep, results = swept(found=lambda: measured(samples_s=(), status="timed_out", reason="took more than 5 s"))
    lines = heading_of(sweep, results[0], [])
    assert "Status: timed_out: took more than 5 s" in lines
    assert not any(line.startswith("Total") for line in lines)
    assert published_table(results)["TotalTime"].isna().all()
    assert dataset_of([(sweep, results)])["mean_s"].isna().all()


def test_the_table_is_the_documents():
    table = published_table(swept()[1])
    assert table.to_csv(index=False).splitlines()[:2] == [
        "Layers,BatchSize,ConvSize,TotalTime,MeanTime",
        "4,1,3,1.0,0.5",
    ]
    assert table[["Layers", "BatchSize", "ConvSize"]].to_numpy().tolist() == [
        [4, 1, 3],
        [4, 4, 3],
        [6, 1, 3],
        [6, 4, 3],
    ]


@needs(PUBLISHED)
def test_a_table_looks_like_the_published_ones(tmp_path):
    published = PUBLISHED.read_text().splitlines()
    _, results = swept("fashion_mnist", "Evaluation_Iterations = 2")
    written = published_table(results).to_csv(index=False).splitlines()
    assert written[0] == published[0]
    assert [line.split(",")[:3] for line in written] == [line.split(",")[:3] for line in published]


def test_the_dataset_has_a_row_per_combination_of_both_families():
    one, two = swept("text"), swept("fashion_mnist", SMALL + "Inference_Batch = 8 16\n")
    table = dataset_of([one, two])
    assert table["family"].value_counts().to_dict() == {"text": 4, "fashion_mnist": 8}
    columns = ["family", "layers", "filter_size", "batch", "training_batch", "filters", "input_size", "channels"]
    columns += ["total_s", "mean_s", "mean_s_low", "mean_s_high", "status", "accuracy", "data_source"]
    assert set(columns) <= set(table.columns)
    assert table.loc[table["family"] == "text", "batch"].tolist() == [1, 4, 1, 4]
    assert table.loc[table["family"] == "text", "channels"].isna().all()
    assert sorted(set(table.loc[table["family"] == "fashion_mnist", "batch"])) == [8, 16]


def test_files_are_written_and_read_back(tmp_path):
    sweep, results = swept()
    paths = write_family(tmp_path, sweep, results)
    assert [path.name for path in paths] == ["text.csv", "text.txt"]
    assert len(pd.read_csv(tmp_path / "text.csv")) == 4
    about = json.loads((tmp_path / "text.json").read_text())
    assert about["is_default_data"]
    assert about["data_source"] == "made up"
    assert about["statuses"] == {"trusted": 4}
    assert about["batch_size_is"] == "that of both phases"
    log = (tmp_path / "text.txt").read_text()
    assert log.count("Actual: ") == 8
    assert log.count("Layer: conv2d_1") == 4


def test_other_degrees_of_freedom_have_tables_of_their_own(tmp_path):
    sweep, results = swept("fashion_mnist", SMALL + "Inference_Batch = 8 16\nFilters = 8 64\nChannels = 3\n")
    write_family(tmp_path, sweep, results)
    names = sorted(path.stem for path in tmp_path.glob("*.csv"))
    assert names == [
        *("fashion_mnist_filters64_inference_batch16", "fashion_mnist_filters64_inference_batch8"),
        *("fashion_mnist_filters8_inference_batch16", "fashion_mnist_filters8_inference_batch8"),
    ]
    assert all(len(pd.read_csv(path)) == 4 for path in tmp_path.glob("*.csv"))
    about = json.loads((tmp_path / "fashion_mnist_filters8_inference_batch16.json").read_text())
    assert about["batch_size_is"] == "the batch size of training"
    assert about["inference_batch"] == [16]


def test_an_interruption_loses_the_training_in_flight(tmp_path, monkeypatch):
    sweep, results = swept()
    begun = []

    def train(spec, recipe, corpus, advance, keep):
        begun.append((spec.model, recipe.batch))
        if begun.count(begun[-1]) == 1 and len(begun) == 3:
            raise KeyboardInterrupt
        return results[0].trained

    monkeypatch.setattr(training, "_train", train)
    with pytest.raises(KeyboardInterrupt):
        sweep.train(training_store(tmp_path), quiet)
    trained = sweep.train(training_store(tmp_path), quiet)
    models = [("text_4_3_56", 1), ("text_4_3_56", 4), ("text_6_3_56", 1), ("text_6_3_56", 4)]
    assert begun == [*models[:3], *models[2:]]
    assert list(trained) == models
    assert trained["text_6_3_56", 4] == results[0].trained


def row_of(**changes):
    row = {"status": "measured", "reason": None, "trust": "noisy", "trust_reason": "busy"}
    row |= {"latency_ms": 500.0, "latency_low_ms": 400.0, "latency_high_ms": 700.0}
    row |= {"wall_samples_ms": [900.0, 910.0, 500.0, 510.0, 520.0, 530.0], "visit": [0, 0, 1, 1, 2, 2]}
    return row | {"visit_disturbed": [True, False, False]} | changes


def test_disturbed_visits_count_only_where_others_are_too_few():
    found = evaluated(row_of(), iterations=4)
    assert found.samples_s == pytest.approx((0.5, 0.51, 0.52, 0.53))
    assert found.total_s == pytest.approx(2.06)
    assert found.mean_s == pytest.approx(0.515)
    assert (found.status, found.reason, found.low_s, found.high_s) == ("noisy", "busy", 0.4, 0.7)
    assert evaluated(row_of(), iterations=5).samples_s[0] == pytest.approx(0.9)


def test_what_was_not_measured_has_no_time():
    found = evaluated(row_of(status="failed", reason="it broke"), iterations=4)
    assert (found.samples_s, found.status, found.reason) == ((), "failed", "it broke")
    assert np.isnan([found.mean_s, found.total_s, found.low_s]).all()


@pytest.fixture
def description(root):
    return yaml.safe_load((root / "config/targets/local.yaml").read_text())


def test_a_target_measures_passes_at_each_batch_size(description):
    target = sweep_target(Target.from_dict("local", description), config_of(""), (1, 4))
    assert [(s["workload"], s["batch"], s["evaluation_inputs"]) for s in target.factor_sets] == [
        ("evaluation", 1, 2000),
        ("evaluation", 4, 2000),
    ]
    protocol = target.protocol
    assert (protocol.iterations, protocol.discard, protocol.visits) == (10, 0, 5)
    assert target.replicates.count == 0
    assert target.time_limit_s == 10 * description["time_limit_s"]


@pytest.mark.parametrize(("iterations", "visits"), [(1, 1), (4, 4), (7, 1), (12, 4), (15, 5)])
def test_passes_are_spread_over_visits_evenly(description, iterations, visits):
    config = config_of(f"Evaluation_Iterations = {iterations}")
    assert sweep_target(Target.from_dict("local", description), config, (1,)).protocol.visits == visits


def test_a_target_that_varies_more_than_the_batch_is_refused(description):
    del description["factors"]["fixed"]["threads"]
    description["factors"]["vary"] = {"threads": [1, 2]}
    with pytest.raises(
        UsageError, match="local: a sweep needs a target with one factor set, not threads 1 or threads 2"
    ):
        sweep_target(Target.from_dict("local", description), config_of(), (1,))
    description["factors"] = {"fixed": {"threads": 1}, "vary": {"batch": [1, 16]}}
    assert len(sweep_target(Target.from_dict("local", description), config_of(), (4,)).factor_sets) == 1
