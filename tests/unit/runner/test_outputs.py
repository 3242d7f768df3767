"""Outputs that no working model gives are rejected by name; those that only look like it are not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from perfcast.runner.inputs import draw_inputs, other_inputs
from perfcast.runner.outputs import ImplausibleOutputError, Repeatable
from perfcast.runner.toolchains.noop import NoopToolchain
from perfcast.runner.toolchains.tensorflow import TensorFlowToolchain, placed_on, source_of
from tests.unit.runner.runs import FACTORS, PUBLISHED, plan_of, run, task

pytestmark = pytest.mark.heavy

SIZE = 8
WEIGHTS = np.random.default_rng(1).standard_normal((SIZE, 5)).astype(np.float32)


def logits(x, scale=1.0):
    return tf.linalg.matmul(x, WEIGHTS * scale)


def drawn(x, kind=tf.float32):
    return tf.random.uniform([1, 5], maxval=100 if kind.is_integer else None, dtype=kind)


SOUND = {
    "logits": lambda x: [logits(x)],
    "softmax": lambda x: [tf.nn.softmax(logits(x))],
    "saturated softmax": lambda x: [tf.nn.softmax(logits(x) + tf.constant([1e6, 0, 0, 0, 0]))],
    "class": lambda x: [tf.argmax(logits(x) + tf.constant([1e6, 0, 0, 0, 0]), axis=1)[:, tf.newaxis]],
    "unit that is off": lambda x: [tf.nn.relu(logits(x) - 1e6)],
    "unit that is fully on": lambda x: [tf.nn.sigmoid(logits(x) + 1e6)],
    "one constant of two outputs": lambda x: [logits(x), tf.constant([[1.0, 2.0]])],
    "rounding that differs": lambda x: [logits(x) * (1 + 1e-6 * drawn(x))],
    "other integers": lambda x: [tf.cast(1000 * logits(x), tf.int32)],
}
REJECTED = {
    "nan": (lambda x: [logits(x) / 0 * 0], "output out_0:0 has values that are not finite"),
    "infinite": (lambda x: [logits(x), 1 / (0 * logits(x))], "output out_1:0 has values that are not finite"),
    "zero": (lambda x: [0 * logits(x)], "output out_0:0 is zero whatever the input"),
    "zero beside another": (lambda x: [logits(x), 0 * logits(x)], "output out_1:0 is zero whatever the input"),
    "nothing": (lambda x: [0 * logits(x) + WEIGHTS[0]], "the model depends on nothing: output out_0:0 is the same"),
    "constant": (lambda x: [tf.constant(WEIGHTS[:1])], "the model depends on nothing: output out_0:0 is the same"),
    "softmax of nothing": (lambda x: [tf.nn.softmax(0 * logits(x))], "depends on nothing: output out_0:0 is the same"),
    "class of nothing": (
        lambda x: [tf.argmax(0 * logits(x) + WEIGHTS[0], axis=1)[:, tf.newaxis]],
        "the model depends on nothing: output out_0:0 is the same whatever the input",
    ),
    "shape only": (lambda x: [tf.ones_like(x)], "the model depends on nothing: output out_0:0 is the same"),
    "two of nothing": (
        lambda x: [tf.constant(WEIGHTS[:1]), tf.constant([[3.0]])],
        "the model depends on nothing: outputs out_0:0 and out_1:0 are the same whatever the input",
    ),
    "noise": (lambda x: [logits(x) + 0.1 * drawn(x)], "output out_0:0 differs from one inference to the next"),
    "dropout": (lambda x: [tf.nn.dropout(logits(x), 0.2)], "output out_0:0 differs from one inference to the next"),
    "noise beside another": (lambda x: [logits(x), drawn(x)], "output out_1:0 differs from one inference to the next"),
    "random class": (lambda x: [drawn(x, tf.int32)], "output out_0:0 differs from one inference to the next"),
    "late": (
        lambda x: [tf.where(drawn(x) < 0.7, logits(x), logits(x) + 1)],
        "output out_0:0 differs from one inference to the next on the same input",
    ),
}


def planted(folder, name, make, shapes=None):
    """Write the graph that a function of a tensor makes; return its task."""
    with tf.Graph().as_default() as graph:
        made = make(tf.compat.v1.placeholder(tf.float32, [1, SIZE], name="x"))
        outputs = [tf.identity(output, name=f"out_{index}") for index, output in enumerate(made)]
    path = folder / f"{name.replace(' ', '_')}.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    shapes = shapes or [output.shape.as_list()[1:] for output in outputs]
    return task(
        name,
        path,
        inputs=[{"node": "x", "shape": [SIZE], "dtype": "float32"}],
        outputs=[{"tensor": f"out_{i}:0", "shape": shape, "dtype": "any"} for i, shape in enumerate(shapes)],
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    tasks = [planted(folder, name, make) for name, make in SOUND.items()]
    tasks += [planted(folder, name, make) for name, (make, _) in REJECTED.items()]
    tasks.append(planted(folder, "other shape", SOUND["logits"], [[6]]))
    tasks.append(planted(folder, "more dimensions", SOUND["logits"], [[5, 1]]))
    return run(plan_of(tasks, PUBLISHED, {"toolchain": "tensorflow"}), folder)


@pytest.mark.parametrize("name", SOUND)
def test_unusual_but_valid_outputs_are_measured(measured, name):
    assert measured.outcome(name) == ("measured", None)


@pytest.mark.parametrize("name", REJECTED)
def test_implausible_outputs_are_rejected_by_name(measured, name):
    status, reason = measured.outcome(name)
    assert status == "rejected"
    assert REJECTED[name][1] in reason
    assert measured.of("measurement", name)[0]["memory"]["peak_bytes"] > 50e6


def test_another_shape_than_the_export_says_is_rejected(measured):
    reason = "output out_0:0 has the shape [1, 5], the export says "
    assert measured.outcome("other shape") == ("rejected", reason + "[1, 6]")
    assert measured.outcome("more dimensions") == ("rejected", reason + "[1, 5, 1]")


def test_one_odd_output_value_is_tolerated_many_are_not():
    """Of large outputs an evenly spread part is compared."""
    repeatable = Repeatable({"outputs": [{"tensor": "large"}]})
    output = np.random.default_rng(1).random((1000, 1000), dtype=np.float32)
    repeatable.compare([output])
    repeatable.compare([output * np.float32(1 + 1e-6)])
    with pytest.raises(ImplausibleOutputError, match="output large differs"):
        repeatable.compare([output + np.float32(0.01)])
    half = output.copy()
    half[500:] = 0
    with pytest.raises(ImplausibleOutputError, match="output large differs"):
        repeatable.compare([half])
    channel = output.copy()
    channel[:, 5::8] += 1
    with pytest.raises(ImplausibleOutputError, match="output large differs"):
        repeatable.compare([channel])
    repeatable.compare([output])


@pytest.mark.parametrize(("kind", "rounding"), [("float32", 1e-5), ("float16", 2e-3), ("float64", 1e-9)])
def test_rounding_is_tolerated(kind, rounding):
    repeatable = Repeatable({"outputs": [{"tensor": "y"}]})
    output = np.random.default_rng(1).standard_normal(100).astype(kind)
    repeatable.compare([output])
    repeatable.compare([(output * (1 + rounding)).astype(kind)])
    with pytest.raises(ImplausibleOutputError):
        repeatable.compare([(output * 1.05).astype(kind)])


def test_values_that_turn_into_nan_differ():
    repeatable = Repeatable({"outputs": [{"tensor": "y"}]})
    repeatable.compare([np.ones(3, np.float32)])
    with pytest.raises(ImplausibleOutputError):
        repeatable.compare([np.array([1, np.nan, 1], np.float32)])


@pytest.mark.parametrize("kind", ["float32", "float16", "float64", "uint8", "int32", "int64", "bool"])
def test_inputs_are_of_their_type_and_unlike_each_other(kind):
    entry = {"seed": 3, "inputs": [{"shape": [4, 5], "dtype": kind}]}
    drawn_inputs = [draw_inputs(entry, 2), *other_inputs(entry, 2)]
    for (values,) in drawn_inputs:
        assert (values.dtype, values.shape) == (np.dtype(kind), (2, 4, 5))
        assert np.all(np.isfinite(values))
    assert len({values.tobytes() for (values,) in drawn_inputs}) >= 4
    (first,), (again,) = draw_inputs(entry, 2), draw_inputs(entry, 2)
    np.testing.assert_array_equal(first, again)
    peaks = {"uint8": (0, 255), "int32": (0, 1), "int64": (0, 1)}.get(kind, (0, 1))
    assert peaks[0] <= first.min() < first.max() <= peaks[1]


@pytest.mark.parametrize("kind", ["int32", "int64", "float32"])
@pytest.mark.parametrize("below", [1, 5, 20_000, 40_000_001])
def test_indices_stay_below_the_number_of_rows(kind, below):
    entry = {"seed": 3, "inputs": [{"shape": [2000], "dtype": kind, "below": below}]}
    (first,) = draw_inputs(entry, 2)
    assert len(np.unique(first)) > min(below - 1, 1000)
    for (values,) in [(first,), *other_inputs(entry, 2)]:
        assert values.dtype == np.dtype(kind)
        assert 0 <= values.min() <= values.max() < max(below, 2)


def test_noop_outputs_are_checked_too():
    """Its outputs depend on its inputs, and differ from zero."""
    toolchain = NoopToolchain({"batch": 2})
    entry = {"seed": 1, "inputs": [{"shape": [3], "dtype": "float32"}], "outputs": [{"shape": [4]}], "program": None}
    infer = toolchain.load(entry)
    outputs = [infer(*inputs)[0] for inputs in (draw_inputs(entry, 2), *other_inputs(entry, 2))]
    assert {output.shape for output in outputs} == {(2, 4)}
    assert len({output.tobytes() for output in outputs}) > 3


def test_source_of_a_tensor_skips_insensitive_operations():
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [1, 5], name="x")
        added = tf.raw_ops.AddV2(x=x, y=tf.constant(1.0), name="added")
        parts = tf.split(added, [2, 3], axis=1, name="parts")
        tf.identity(tf.nn.softmax(tf.reshape(parts[1], [1, 3])), name="out")
    nodes = {node.name: node for node in graph.as_graph_def().node}
    assert source_of("out:0", nodes) == "parts:1"
    assert source_of("added:0", nodes) == "added:0"


def test_the_null_model_of_tensorflow_has_a_source_too():
    toolchain = TensorFlowToolchain({"batch": 1})
    toolchain.preload()
    null = toolchain.null_task()
    assert [item["tensor"] for item in toolchain.before_saturation(null)["outputs"]] == ["input_0:0"]


IDLE = """
import json, os, sys, time
from perfcast.runner.children import Child, end_all
from perfcast.runner.measuring import Subject
from perfcast.runner.workloads.inference import Inference
from perfcast.runner.toolchains.tensorflow import TensorFlowToolchain

def used_ns(pid):
    folder = "/proc/%d/task" % pid
    return sum(int(open("%s/%s/schedstat" % (folder, thread)).read().split()[0]) for thread in os.listdir(folder))

factors, task = json.load(sys.stdin)
toolchain = TensorFlowToolchain(factors)
toolchain.preload()
subject = Subject(toolchain, Inference(factors), task, {"iterations": 50, "discard": 0, "visits": 1})
child = Child(subject.obey)
child.ask({"do": "load", "with": {"is_known": True}}, 60)
child.ask({"do": "visit"}, 60)
time.sleep(0.2)
before = used_ns(child.pid)
time.sleep(1)
print(used_ns(child.pid) - before)
end_all()
"""


def test_a_model_that_waits_for_its_next_visit_uses_no_cpu(tmp_path, root):
    """TensorFlow's threads included, of which each tries for a while to find work."""
    entry = planted(tmp_path, "logits", SOUND["logits"])
    done = subprocess.run(
        [sys.executable, "-c", IDLE],
        input=json.dumps([FACTORS | {"threads": 2}, entry]),
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(root)},
        check=True,
    )
    assert int(done.stdout) < 1_000_000


def test_graph_with_unknown_operation_is_unsupported(tmp_path):
    """As exports of a newer TensorFlow may be: not a failure of the model."""
    known = planted(tmp_path, "known", lambda x: [logits(x)])
    lacking = planted(tmp_path, "lacking", lambda x: [logits(x)])
    graph = tf.compat.v1.GraphDef.FromString(Path(lacking["program"]).read_bytes())
    next(node for node in graph.node if node.op == "MatMul").op = "MatMulOfTomorrow"
    Path(lacking["program"]).write_bytes(graph.SerializeToString())
    done = run(plan_of([lacking, known], PUBLISHED, {"toolchain": "tensorflow"}), tmp_path)
    status, reason = done.outcome("lacking")
    assert (status, done.outcome("known")[0]) == ("unsupported", "measured")
    assert "MatMulOfTomorrow" in reason


def test_tensorflow_reports_where_it_placed_operations():
    toolchain = TensorFlowToolchain({"batch": 2, "threads": 1, "weights_as": "constant", "graph_optimizations": True})
    toolchain.preload()
    toolchain.load(toolchain.null_task())
    session, outputs, inputs = toolchain.loaded
    assert toolchain.computed_on()["cpu"] > 0
    placed = placed_on(tf, session, outputs, {tensor: np.zeros(tensor.shape) for tensor in inputs})
    assert placed == {"cpu": 1}
