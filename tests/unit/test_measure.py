"""`perfcast measure`, as a user meets it: on small networks, with the toolchain that runs nothing."""

import contextlib
import json
import os
import re
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from perfcast.bench.campaign import Campaign
from perfcast.bench.factory import open_transport
from perfcast.bench.record import MeasurementStore
from perfcast.cli import main
from perfcast.cli.plot import ASCII, PRETTY, Samples, draw
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import export_models
from perfcast.models.collect import collect
from perfcast.planning.settings import settings_of_files

pytestmark = pytest.mark.heavy

FIRST, SECOND = "basic_model_1_3_8_2_32", "basic_model_2_3_8_2_48"
SHEET = """source,builder,input_size,parameters
synthetic,basic_model,32,conv_layers=1;filter_size=3;filters=8;strides=2
synthetic,basic_model,48,conv_layers=2;filter_size=3;filters=8;strides=2
"""
PROTOCOL = {"name": "published", "iterations": 60, "discard": 10, "visits": 5, "repeats": 0}


@pytest.fixture(scope="module")
def measured(tmp_path_factory, root):
    """A working directory with a sheet of two models and a target that runs nothing; one is measured: the answer."""
    folder = tmp_path_factory.mktemp("measured")
    (folder / "config/targets").mkdir(parents=True)
    target = yaml.safe_load((root / "config/targets/local.yaml").read_text())
    target["factors"]["fixed"]["toolchain"] = "noop"
    target["protocol"] = PROTOCOL
    target["replicates"] = {"share": 1.0, "count": 2}
    (folder / "config/targets/idle.yaml").write_text(yaml.safe_dump(target))
    (folder / "sheet.csv").write_text(SHEET)
    (folder / "my.yaml").write_text("models: {sheets: [sheet.csv]}\n")
    with contextlib.chdir(folder):
        return folder, run(FIRST, "--out", "out.json")


@pytest.fixture
def folder(measured, tmp_path, monkeypatch):
    """A copy of that directory to work in."""
    shutil.copytree(measured[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    answer = CliRunner().invoke(main, ["measure", "--target", "idle", "--configfile", "my.yaml", *map(str, arguments)])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer


def stored(folder):
    store = MeasurementStore(folder / "results/store")
    return [store.measurement(path.stem) for path in sorted((store.root / "measurements").glob("*.json"))]


def test_a_model_of_a_sheet_is_measured_shown_and_kept(measured):
    folder, answer = measured
    (record,) = stored(folder)
    (row,) = json.loads((folder / "out.json").read_text())
    assert (record["model"], record["replicate"], record["protocol"]["visits"]) == (FIRST, 0, 5)
    assert (row["model"], row["status"], row["visits"]) == (FIRST, "measured", 5)
    assert len(row["wall_samples_ms"]) == 50
    # Whether others are on this machine now is theirs to say.
    assert answer.exit_code == (1 if row["trust"] == "rejected" else 0)
    assert f"{FIRST} on idle: measured now" in answer.output
    said = {line.split()[0]: line for line in answer.output.splitlines() if line.startswith("  ")}
    assert row["trust"] in said["status"]
    assert row["trust_reason"] in said["status"]
    assert f"{row['latency_ms']:.3g}" in said["latency"]
    assert row["pattern"].replace("_", " ") in said["pattern"]
    assert row["includes"] in said["includes"]
    assert record["factors"]["device"] in said["machine"]
    assert re.search(r"p50 [0-9.]+, p90 [0-9.]+, p99 [0-9.]+ ms", said["percentiles"])
    assert "MB" in said["memory"]
    assert "visit 1" in answer.output


def test_measured_model_is_measured_again_only_on_request(folder):
    assert "--again measures it again" in run(FIRST).output
    assert len(stored(folder)) == 1
    answer = run(FIRST, SECOND, "--again", "--out", "out.csv")
    assert f"{FIRST} on idle, repetition 1: measured now" in answer.output
    assert f"{SECOND} on idle: measured now" in answer.output
    found = sorted((record["model"], record["replicate"]) for record in stored(folder))
    assert found == [(FIRST, 0), (FIRST, 1), (SECOND, 0)]
    table = pd.read_csv("out.csv")
    assert list(table["model"]) == [FIRST, SECOND]
    assert list(table["replicate"]) == [1, 0]


def measured_by(python, folder):
    path = folder / "config/targets/idle.yaml"
    transport = {"kind": "local", "python": str(python)}
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"transport": transport}))
    return run(SECOND)


def test_another_python_of_this_machine_measures(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    python, used = folder / "python", folder / "used"
    python.write_text(f'#!/bin/sh\necho "$@" >> {used}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    assert measured_by(python, folder).exit_code in (0, 1)
    assert len(stored(folder)) == 2
    assert used.exists()


def test_a_python_that_is_absent_is_refused(folder):
    answer = measured_by("/nowhere/python", folder)
    assert answer.exit_code == 2
    assert "there is no /nowhere/python: install Python 3.6 or later" in answer.stderr


def test_a_budget_is_spent_and_the_next_call_goes_on(folder):
    short = run(SECOND, "--budget", "0s", "--out", "out.csv")
    assert "the budget ended before the protocol: measure once more for a narrower interval" in short.output
    assert list(pd.read_csv("out.csv")["visits"]) == [1]
    assert "the budget ended" not in run(SECOND, "--budget", "1h", "--out", "out.csv").output
    assert list(pd.read_csv("out.csv")["visits"]) == [5]


def test_the_workflow_finds_what_was_measured(folder):
    settings = settings_of_files("idle", [folder / "my.yaml"])
    artifacts, store = ArtifactStore(settings.store), MeasurementStore(settings.store)
    campaign = Campaign(settings.target, open_transport(settings.target), artifacts, store)
    tasks = campaign.tasks(export_models(collect(settings.sheets, None).specs, artifacts), campaign.environment())
    missing = {(task.model, task.replicate) for task in campaign.missing(tasks)}
    assert missing == {(FIRST, 1), (FIRST, 2), (SECOND, 0), (SECOND, 1), (SECOND, 2)}


def test_files_are_measured_under_their_own_name(folder):
    import keras

    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs))
    model.save("open.keras")
    (folder / "text.json").write_text(model.to_json())
    answer = run("open.keras", "text.json", "--input-shape", "1,24,24,3", "--store", "elsewhere")
    assert "open_24 on idle: measured now" in answer.output, answer.output
    assert "text_24 on idle: measured now" in answer.output
    records = [json.loads(path.read_text())["record"] for path in (folder / "elsewhere/measurements").glob("*.json")]
    assert [record["factors"]["input_shape"] for record in records] == [[24, 24, 3]] * 2
    assert len(stored(folder)) == 1


def test_unmeasurable_model_is_one_line(folder, library):
    (folder / "net.onnx").touch()
    (folder / "net.tflite").touch()
    for source, words in (
        ("net.onnx", "no toolchain here runs ONNX files, so it cannot be measured; `perfcast predict` predicts it"),
        ("net.tflite", "no toolchain here runs LiteRT files"),
        (library[1][0], "is a descriptor, which cannot be measured"),
        (library[1][0] / "model.json", "is a descriptor, which cannot be measured"),
        ("absent.keras", "there is no such file"),
        ("nothing_of_this_name", "is neither a file nor a model listed in"),
        ("", "a SOURCE is empty"),
    ):
        answer = run(source)
        assert answer.exit_code == 2, answer.output
        assert words in answer.output
        assert len(answer.output.splitlines()) == 1
    assert len(stored(folder)) == 1


def test_failing_sources_do_not_stop_the_others(folder):
    answer = run("absent.keras", FIRST)
    assert answer.exit_code == 1
    assert "--again measures it again" in answer.output
    assert "absent.keras: there is no such file" in answer.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((FIRST, "--out", "x.txt"), "the ending must be .csv or .json or .parquet"),
        ((FIRST, "--out", "no/x.json"), "there is no folder"),
        ((FIRST, "--budget", "soon"), "'soon' is not a duration; write a number with the unit s, m or h"),
        ((FIRST, "--input-shape", "1,x"), "input shape"),
        ((FIRST, "--target", "nowhere"), "nowhere.yaml: there is no such file"),
    ],
)
def test_a_mistake_is_one_line(folder, arguments, words):
    answer = run(*arguments)
    assert answer.exit_code == 2, answer.output
    assert words in answer.output
    assert len(answer.output.splitlines()) == 1


FAILED = {"samples": None, "timing": None, "visits": [], "memory": {"peak_bytes": 4_000_000_000}, "limits": None}


@pytest.mark.parametrize(
    ("changes", "disturbed", "slower", "code", "words"),
    [
        ({}, False, (1, 1, 1, 1, 1), 0, "trusted"),
        ({}, True, (1, 1, 1, 1, 1), 0, "noisy: all 5 visits were disturbed"),
        ({}, False, (1, 4, 2, 9, 20), 1, "rejected: known to"),
        ({"status": "out_of_memory", "reason": "too large"} | FAILED, True, (), 1, "out_of_memory: too large"),
    ],
)
def test_exit_code_shows_whether_numbers_are_trusted(folder, changes, disturbed, slower, code, words):
    (record,) = stored(folder)
    quick = {"before_ns": 6_000_000, "after_ns": 6_000_000}
    visits = [visit | {"disturbed": disturbed, "calibration": quick} for visit in record["visits"]]
    calm = dict.fromkeys(record["samples"]) | {
        "wall_ns": [(2_000_000 + 1000 * (at % 7)) * (slower[at // 12] if slower else 1) for at in range(60)],
        "process_ns": [2_000_000] * 60,
        **{name: record["samples"][name] for name in ("discarded", "visit", "round")},
    }
    MeasurementStore(folder / "results/store").put(record | {"visits": visits, "samples": calm} | changes)
    answer = run(FIRST)
    assert answer.exit_code == code, answer.output
    assert f"status       {words}" in answer.output


@pytest.fixture
def samples():
    def made(kind="calm", visits=5, each=50, warmup=10):
        chance = np.random.default_rng(1)
        wall = 12 * (1 + 0.01 * chance.standard_normal(visits * each))
        if kind == "spikes":
            wall[[warmup + 2, warmup + 8]] = 12.9, 60
        if kind == "constant":
            wall[:] = 12
        if kind == "levels":
            wall[len(wall) // 2 :] *= 1.5
        visit = np.repeat(np.arange(visits), each)
        discarded = np.tile(np.arange(each) < warmup, visits)
        return Samples(wall, visit, discarded, frozenset({1}), float(np.median(wall[~discarded])))

    return made


@pytest.mark.parametrize("kind", ["calm", "spikes", "constant", "levels"])
@pytest.mark.parametrize("visits", [1, 5, 10, 100])
@pytest.mark.parametrize("width", [40, 57, 80, 140])
@pytest.mark.parametrize("pretty", [True, False])
def test_drawing_fits_the_terminal(samples, kind, visits, width, pretty):
    lines = draw(samples(kind, visits, each=12, warmup=2), width, pretty)
    assert max(len(line) for line in lines) <= width
    assert len(lines) < 24
    assert pretty or all(line.isascii() for line in lines)


def test_drawing_distinguishes_outliers_visits_and_warm_up(samples):
    lines = draw(samples("spikes"), 80, pretty=True)
    text = "\n".join(lines)
    assert lines[0].count(PRETTY.above) == 1
    assert "1 above, up to 60" in text
    assert any(PRETTY.far_out in line for line in lines[:14])
    assert lines[3].count(PRETTY.between) == 4
    assert re.search(r"visit 1 +2\* +3 +4 +5", text)
    assert "* disturbed" in text
    plain = "\n".join(draw(samples("spikes"), 80, pretty=False))
    assert f"{ASCII.above} 1 above, up to 60" in plain


def test_the_histogram_is_longest_where_most_samples_are(samples):
    lines = draw(samples("levels"), 80, pretty=True)
    bars = [len(line.rsplit(PRETTY.axis, 1)[1]) for line in lines[:14]]
    assert max(bars) == 16
    assert sum(bar == 0 for bar in bars) > 5
    assert bars[0] + bars[1] + bars[2] > 0
    assert bars[-1] + bars[-2] + bars[-3] > 0


def test_output_to_a_file_is_plain(folder, monkeypatch):
    monkeypatch.setitem(os.environ, "COLUMNS", "200")
    text = run(FIRST).output
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines() if PRETTY.axis in line or ASCII.axis in line) <= 80
