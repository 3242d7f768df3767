"""`perfcast plan`, as a user meets it: on small networks and the toolchain that runs nothing."""

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from perfcast.bench.campaign import Campaign
from perfcast.bench.factory import open_transport
from perfcast.bench.record import MeasurementStore
from perfcast.cli import main
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import export_models
from perfcast.models.collect import collect
from perfcast.planning.settings import settings_of_files
from perfcast.progress import quiet

pytestmark = pytest.mark.heavy

SHEET = """source,builder,input_size,parameters
synthetic,basic_model,32,conv_layers=1;filter_size=3;filters=8;strides=2
synthetic,basic_model,64,conv_layers=2;filter_size=3;filters=8;strides=2
dense,mlp,32,layers=2;units=64
"""


@pytest.fixture
def folder(tmp_path, monkeypatch, root):
    """A working directory with a sheet of three models and a target that runs nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/targets").mkdir(parents=True)
    target = yaml.safe_load((root / "config/targets/local.yaml").read_text())
    target["factors"]["fixed"]["toolchain"] = "noop"
    target["protocol"] = {"name": "published", "iterations": 4, "discard": 2, "visits": 2}
    target["replicates"] = {"share": 1.0, "count": 1}
    describe(tmp_path, target)
    (tmp_path / "sheet.csv").write_text(SHEET)
    (tmp_path / "my.yaml").write_text("models: {sheets: [sheet.csv]}\n")
    return tmp_path, target


def describe(folder, target):
    (folder / "config/targets/idle.yaml").write_text(yaml.safe_dump(target))


def planned(*options):
    answer = CliRunner().invoke(main, ["plan", "--target", "idle", "--configfile", "my.yaml", *options])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer


def test_a_plan_counts_models_measurements_and_bytes(folder):
    answer = planned("--out", "plan.csv")
    assert answer.exit_code == 0, answer.output
    table = pd.read_csv("plan.csv").set_index("model")
    assert list(table["measurements"]) == [2, 2, 2]
    store = ArtifactStore(folder[0] / "results/store")
    for export in export_models(collect([folder[0] / "sheet.csv"], None).specs, store):
        graph = store.program_path(export.artifact, export.program(["graph.pb"]))
        assert table.loc[export.spec.model, "graph_bytes"] == graph.stat().st_size
    assert (table["packed_bytes"] < table["graph_bytes"]).all()
    assert (table["time_s"] > 0).all()
    rows = [line.split() for line in answer.output.splitlines()]
    assert [row[:3] for row in rows if row[0] in ("basic_model", "mlp")] == [
        ["basic_model", "2", "4"],
        ["mlp", "1", "2"],
    ]
    assert "operations and bytes alone" in answer.output


def test_what_is_measured_is_not_planned_again(folder):
    settings = settings_of_files("idle", [folder[0] / "my.yaml"])
    artifacts = ArtifactStore(settings.store)
    exports = export_models(collect(settings.sheets, None).specs, artifacts)
    transport = open_transport(settings.target)
    Campaign(settings.target, transport, artifacts, MeasurementStore(settings.store)).measure(exports[:1], quiet, "")
    planned("--out", "plan.csv")
    assert list(pd.read_csv("plan.csv")["measurements"]) == [0, 2, 2]
    Campaign(settings.target, transport, artifacts, MeasurementStore(settings.store)).measure(exports, quiet, "")
    assert "idle: everything is measured already" in planned().output


def test_models_that_will_not_fit_are_named(folder):
    describe(folder[0], folder[1] | {"device": {"kind": "cpu", "name": None, "memory_mb": 332}})
    output = planned().output
    assert "mlp_2_64_32: likely out of memory: " in output
    assert "basic_model_1_3_8_2_32: likely" not in output


def test_models_that_take_too_long_are_named(folder):
    describe(folder[0], folder[1] | {"time_limit_s": 0.02})
    assert "likely timed out" in planned().output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "nowhere"], "nowhere.yaml: there is no such file"),
        (["--predictor", "nowhere"], "nowhere"),
        (["--out", "plan.txt"], "ending"),
        (["--configfile", "wrong.yaml"], "unknown key model"),
    ],
)
def test_a_mistake_is_one_line(folder, arguments, words):
    (folder[0] / "wrong.yaml").write_text("model: {}\n")
    answer = planned(*arguments)
    assert answer.exit_code in (1, 2)
    assert words in answer.output
    assert len(answer.output.splitlines()) == 1
