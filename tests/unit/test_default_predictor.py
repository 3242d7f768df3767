"""The predictor that perfcast brings."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from perfcast.cli import main
from perfcast.default_predictor import DATASET, PREDICTOR
from perfcast.fit.persistence.folder import load_predictor, save_predictor
from perfcast.runner.machine import read_machine


def test_default_predictor_fits_its_data_and_names_its_machine():
    predictor = load_predictor(PREDICTOR)
    assert set(predictor.metrics) == {"latency_ms", "ram_mb"}
    assert "threads, tensorflow" in predictor.label
    measured = pd.read_parquet(DATASET).query("status == 'measured' and replicate == 0")
    predictions = predictor.predict(measured).query("metric == 'latency_ms'")
    errors = np.abs(predictions["prediction"].to_numpy() / measured["latency_ms"].to_numpy() - 1)
    assert np.median(errors) < 0.2


class Timed:
    """A calibration workload that takes as many times as long as where the default predictor was measured."""

    factor = 1.0

    def __init__(self, threads):
        self.usual_ns = load_predictor(PREDICTOR).calibrations_ms[threads].usual * 1e6

    def time_ns(self):
        return self.usual_ns * self.factor


@pytest.fixture
def timed(monkeypatch):
    monkeypatch.setattr("perfcast.runner.calibration.Calibration", Timed)
    monkeypatch.setattr("perfcast.cli.speed.available_cpus", lambda: 2)
    monkeypatch.setattr(Timed, "factor", 3.1)


def predicted(*arguments):
    network = {"class_name": "Sequential", "config": {"name": "net", "layers": [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 32, 32, 3]}},
        {"class_name": "Flatten", "config": {"name": "flat"}},
        {"class_name": "Dense", "config": {"name": "out", "units": 10, "activation": "softmax", "use_bias": True}},
    ]}}  # fmt: skip
    Path("net.json").write_text(json.dumps(network))
    done = CliRunner().invoke(main, ["predict", "net.json", *arguments])
    assert done.exit_code == 0, done.output
    return done.stderr


@pytest.mark.parametrize(
    ("factor", "words"), [(3.1, "this machine is 3.1 times slower than the one these predictions are for\n"), (1.0, "")]
)
def test_predict_reports_a_machine_of_other_speed(timed, tmp_path, monkeypatch, factor, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Timed, "factor", factor)
    said = predicted()
    assert said.startswith("predictions are for ")
    assert said.partition("\n")[2] == words


def test_machine_speed_is_compared_only_for_the_same_device(timed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    predictor = load_predictor(PREDICTOR)
    save_predictor(replace(predictor, environment=predictor.environment | {"device": ["Jetson Nano"]}), "nano")
    save_predictor(replace(predictor, calibrations_ms={}), "earlier")
    assert predicted("--predictor", "nano") == predicted("--predictor", "earlier") == ""
    cpu = read_machine()["cpu"]
    save_predictor(replace(predictor, environment=predictor.environment | {"device": [cpu]}), "here")
    assert predicted("--predictor", "here").startswith("this machine is 3.1 times slower")
