"""Profiles: operations by layer, what their times add up to, and the profile of a small model that is really run."""

import contextlib

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from perfcast.bench.profiles import COLUMNS, busy_ns, layers_of_nodes, profile_table
from perfcast.cli import main
from perfcast.studies.training.memory import read_traces
from perfcast.studies.training.operations import read_breakdowns
from perfcast.studies.training.splits import read_splits

MODEL = "basic_model_2_3_8_2_32"
SHEET = (
    "source,builder,input_size,parameters\nsynthetic,basic_model,32,conv_layers=2;filter_size=3;filters=8;strides=2\n"
)
SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 15)), max_size=12)


def operations(spans):
    return [
        {"node": f"net/conv_{place}/add", "operation": "AddV2", "start_ns": start, "end_ns": start + length}
        for place, (start, length) in enumerate(spans)
    ]


@given(SPANS)
def test_the_time_with_an_operation_is_that_of_all_moments_of_any(spans):
    moments = {moment for start, length in spans for moment in range(start, start + length)}
    assert busy_ns(operations(spans)) == len(moments)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ({"net/conv/add": "conv", "net/dense_1/mul": "dense_1", "x": ""}, ("conv", "dense", "dense_1")),
        (
            {"net_1/conv_1/add": "conv", "net_1/dense_1_1/mul": "dense_1", "net_1/dense_1/mul": "dense"},
            ("conv", "dense", "dense_1"),
        ),
        ({"gradient_tape/net/conv/Conv2DBackpropFilter": "conv", "block/conv/x": "conv"}, ("block", "conv")),
    ],
)
def test_a_node_belongs_to_the_layer_in_its_name(nodes, expected):
    assert layers_of_nodes(set(nodes), frozenset(expected)) == nodes


def test_a_profile_has_means_of_the_faster_half_of_steps():
    traces = [
        {"wall_ns": 900_000_000, "operations": operations([(0, 800_000_000)])},
        {"wall_ns": 10_000_000, "operations": operations([(0, 4_000_000), (2_000_000, 4_000_000)])},
        {"wall_ns": 20_000_000, "operations": operations([(0, 2_000_000)])},
    ]
    about = dict.fromkeys(COLUMNS[:9], "x")
    table = profile_table(about, [7_000_000, 9_000_000, 8_000_000], traces, ["conv_0", "conv_1"])
    assert list(table.columns) == list(COLUMNS)
    assert table[["layer", "calls", "time_ms"]].to_numpy().tolist() == [["conv_0", 1.0, 3.0], ["conv_1", 0.5, 2.0]]
    assert table.loc[0, ["steps", "step_ms", "traced_ms", "busy_ms"]].tolist() == [3, 8.0, 15.0, 4.0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, root):
    """A working directory with a sheet of one small model, a target that runs nothing and one of another Python."""
    made = tmp_path_factory.mktemp("profiled")
    (made / "config/targets").mkdir(parents=True)
    target = yaml.safe_load((root / "config/targets/local.yaml").read_text())
    target["factors"]["fixed"]["toolchain"] = "noop"
    (made / "config/targets/idle.yaml").write_text(yaml.safe_dump(target))
    target["transport"]["python"] = "/opt/other/bin/python"
    (made / "config/targets/other.yaml").write_text(yaml.safe_dump(target))
    (made / "sheet.csv").write_text(SHEET)
    return made


def run(folder, *arguments):
    with contextlib.chdir(folder):
        answer = CliRunner().invoke(main, ["profile", MODEL, "--sheet", "sheet.csv", *map(str, arguments)])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer


@pytest.mark.heavy
@pytest.mark.parametrize(("workload", "expected"), [("inference", "Conv2D"), ("training_step", "Conv2DBackpropFilter")])
def test_a_small_model_is_profiled_by_operation_and_layer(folder, workload, expected):
    optimizer = ["--optimizer", "adam"] if workload == "training_step" else []
    files = ["--out", f"{workload}.parquet", "--memory", f"{workload}.csv"]
    files += ["--split", "split.csv"] if workload == "training_step" else []
    answer = run(folder, "--workload", workload, *optimizer, "--batch", 2, "--steps", 4, *files)
    assert answer.exit_code == 0, answer.output
    assert "Calls per step" in answer.output
    (trace,) = read_traces(folder / f"{workload}.csv")
    assert list(dict.fromkeys(trace.moments["phase"])) == ["load", "first step", "steps"]
    assert trace.peak_mb("first step", "steps") > 0
    assert ("the peak is in" in answer.output) == (workload == "training_step")
    if workload == "training_step":
        (held,) = read_splits(folder / "split.csv")
        assert held.sizes["optimizer_state"].sum() > 0
    (found,) = read_breakdowns(folder / f"{workload}.parquet")
    assert found.batch == 2
    assert found.steps == 4
    assert found.by_operation["name"].str.contains(expected).any()
    layers = pd.read_parquet(folder / f"{workload}.parquet").query("operation.str.contains('Conv2D')")["layer"]
    assert layers.str.startswith("conv").all()
    assert layers.nunique() == 2
    # What computes lies within the step.
    assert 0 < found.busy_ms <= found.traced_ms
    assert found.busy_ms <= found.summed_ms + 1e-9


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "idle"], "noop does not trace operations; tensorflow does"),
        (["--workload", "evaluation"], "a sample of evaluation is many steps"),
        (["--target", "jetson_nano"], "only this machine's CPU can be profiled"),
        (["--target", "other"], "only this machine's CPU can be profiled, by perfcast's own Python"),
        (["--optimizer", "adam"], "has no option optimizer"),
        (["--split", "x.csv"], "--split is of training steps of all weights"),
        (["--steps", "0"], "0 is not in the range"),
        (["--out", "x.txt"], "the ending must be .csv or .parquet"),
    ],
)
def test_what_cannot_be_profiled_is_said(folder, arguments, words):
    answer = run(folder, *arguments)
    assert answer.exit_code == 2
    assert words in answer.output
