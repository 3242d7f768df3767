"""ONNX files that are damaged or meant to harm: one clear line, and nothing else, comes of them."""

import os

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from perfcast.errors import SourceError, UsageError
from perfcast.formats.onnx_graph import read_onnx
from tests.unit.formats import onnx_files
from tests.unit.formats.onnx_files import Builder, saved
from tests.unit.formats.reading import refusal


def refuse(model, folder, match):
    with pytest.raises(SourceError, match=match) as caught:
        read_onnx(saved(model, folder), {})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("content", [b"", b"\x00", b"not onnx at all", os.urandom(300), b"\x3a\xff\xff\xff\xff\x0f"])
def test_refuses_other_files(content, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)

    with pytest.raises(SourceError, match=r"not an? (readable )?ONNX"):
        read_onnx(path, {})


def test_refuses_missing_files(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        read_onnx(tmp_path / "absent.onnx", {})


def test_refuses_files_above_protobufs_limit_unread(tmp_path):
    path = tmp_path / "model.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)

    with pytest.raises(SourceError, match="2 GB"):
        read_onnx(path, {})


@pytest.mark.parametrize(("opset", "match"), [(6, "convert it"), (10_000, "update onnx"), (-1, "opset")])
def test_refuses_other_opsets(opset, match, tmp_path):
    b = Builder(x=[1, 4])

    refuse(b.model(b.node("Relu", "x"), opset=opset), tmp_path, match)


def test_refuses_nodes_out_of_order(tmp_path):
    b = Builder(x=[1, 4])
    model = b.model(b.node("Relu", b.node("Tanh", "x", name="early")))
    first, second = model.graph.node
    del model.graph.node[:]
    model.graph.node.extend([second, first])

    refuse(model, tmp_path, r"'early_output_0', which nothing before it returns")


def test_refuses_cycles(tmp_path):
    nodes = [
        helper.make_node("Add", ["x", "b"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="second"),
    ]
    b = Builder(x=[1, 4])
    b.nodes = nodes

    refuse(b.model("b"), tmp_path, r"node 'first' \(Add\) reads 'b'")


def test_refuses_two_tensors_of_one_name(tmp_path):
    b = Builder(x=[1, 4])
    b.nodes = [helper.make_node("Relu", ["x"], ["same"]), helper.make_node("Tanh", ["x"], ["same"])]

    refuse(b.model("same"), tmp_path, "'same'")


def test_reads_two_nodes_of_one_name(tmp_path):
    b = Builder(x=[1, 4])
    b.nodes = [helper.make_node(op, [a], [z], name="n") for op, a, z in (("Relu", "x", "y"), ("Tanh", "y", "z"))]

    names = [layer["name"] for layer in read_onnx(saved(b.model("z"), tmp_path), {}).descriptor()["layers"]]

    assert len(set(names)) == len(names) == 3


def test_refuses_outputs_without_a_source(tmp_path):
    b = Builder(x=[1, 4])
    b.node("Relu", "x")

    refuse(b.model("absent"), tmp_path, "'absent'")


def test_refuses_networks_that_ignore_their_inputs(tmp_path):
    b = Builder(x=[1, 4])
    b.node("Relu", "x")

    refuse(b.model(b.node("Relu", b.weight(4))), tmp_path, "do not depend on its inputs")


@pytest.mark.parametrize("dims", [[1, -3, 4], [1, 2**62, 2**62], [1] * 40])
def test_refuses_impossible_shapes_of_weights(dims, tmp_path):
    b = Builder(x=[1, 4])
    model = b.model(b.node("Add", "x", "big"))
    model.graph.initializer.append(TensorProto(name="big", data_type=TensorProto.FLOAT, dims=dims))

    refuse(model, tmp_path, "'big' has the shape")


def test_reads_large_weights_without_values(tmp_path):
    b = Builder(x=[1, 100_000])
    model = b.model(b.node("MatMul", "x", "big"))
    model.graph.initializer.append(TensorProto(name="big", data_type=TensorProto.FLOAT, dims=[100_000, 900_000]))

    (_, dense) = read_onnx(saved(model, tmp_path), {}).descriptor()["layers"]

    assert dense["parameters"] == dense["macs"] == 100_000 * 900_000


def test_refuses_small_constants_without_values(tmp_path):
    b = Builder(x=[1, 4])
    model = b.model(b.node("Add", "x", "short"))
    model.graph.initializer.append(TensorProto(name="short", data_type=TensorProto.FLOAT, dims=[4], raw_data=b"xy"))

    refuse(model, tmp_path, "'short' is damaged")


def test_allocates_no_huge_constants(tmp_path):
    b = Builder(x=[1, 4])
    huge = b.node("ConstantOfShape", b.constant([10**9], np.int64))
    grown = b.node("Range", b.constant(0), b.constant(1e8), b.constant(1))
    grown = b.node("Expand", grown, b.constant([9, 1], np.int64))
    sums = [b.node("ReduceSum", x, keepdims=0) for x in (huge, grown)]

    network = read_onnx(saved(b.model(b.node("Add", b.node("Add", "x", sums[0]), sums[1]), opset=11), tmp_path), {})

    assert [layer["parameters"] for layer in network.descriptor()["layers"]] == [0, 0, 0]


@pytest.mark.parametrize("op", ["Loop", "Scan"])
def test_refuses_loops_by_name(op, tmp_path):
    b = Builder(x=[1, 4])
    body = helper.make_graph([], "body", [], [])

    refuse(b.model(b.node(op, "x", body=body, name="again")), tmp_path, rf"'again' \({op}\) repeats")


def test_refuses_undecided_branches_by_name(tmp_path):
    b = Builder(x=[1, 4], flag=[1, 1])
    b.ports[1].type.tensor_type.elem_type = TensorProto.BOOL
    branch = helper.make_graph([], "branch", [], [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])])

    refuse(b.model(b.node("If", "flag", then_branch=branch, else_branch=branch, name="maybe")), tmp_path, "'maybe'")


def test_refuses_data_dependent_shapes(tmp_path):
    b = Builder(x=[1, 4])

    refuse(b.model(b.node("NonZero", "x", name="which")), tmp_path, r"'which' \(NonZero\).*shape")


def test_refuses_unknown_operations_of_unknown_shape(tmp_path):
    b = Builder(x=[1, 4])

    refuse(b.model(b.node("Odd", "x", domain="com.microsoft", name="odd")), tmp_path, r"'odd' \(Odd\).*shape")


def test_refuses_operations_of_unknown_domains_by_name(tmp_path):
    b = Builder(x=[1, 4, 6])
    own = b.node("Special", "x", domain="own.things", name="special")
    model = b.model(b.node("Relu", own))
    model.graph.value_info.append(onnx.helper.make_tensor_value_info(own, onnx.TensorProto.FLOAT, [1, 4, 6]))
    model.opset_import.append(onnx.helper.make_opsetid("own.things", 1))

    refuse(model, tmp_path, r"'special' \(Special\).*own\.things::Special")


def test_refuses_operations_that_do_not_fit_their_inputs(tmp_path):
    b = Builder(x=[1, 4])

    refuse(b.model(b.node("MatMul", "x", b.weight(9, 9), name="wrong")), tmp_path, r"'wrong' \(MatMul\)")


def test_refuses_functions_that_call_themselves(tmp_path):
    b = Builder(x=[1, 4])
    model = b.model(b.node("Round", "x", domain="own"))
    body = [helper.make_node("Round", ["a"], ["z"], domain="own")]
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model.functions.append(helper.make_function("own", "Round", ["a"], ["z"], body, imports))
    model.opset_import.append(helper.make_opsetid("own", 1))

    refuse(model, tmp_path, "'Round' calls itself")


def test_refuses_exponential_functions(tmp_path):
    b = Builder(x=[1, 4])
    model = b.model(b.node("F0", "x", domain="own"))
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    for depth in range(20):
        op, domain = (f"F{depth + 1}", "own") if depth < 19 else ("Relu", "")
        names = ["a", *(f"t{i}" for i in range(10))]
        body = [helper.make_node(op, [names[i]], [names[i + 1]], domain=domain) for i in range(10)]
        model.functions.append(helper.make_function("own", f"F{depth}", ["a"], ["t9"], body, imports))
    model.opset_import.append(helper.make_opsetid("own", 1))

    refuse(model, tmp_path, "more than 1000000 nodes")


def test_escapes_control_sequences_in_names(tmp_path):
    b = Builder(x=[1, 4])

    refuse(b.model(b.node("Odd", "x", domain="own", name="a\nb\x1b[31m" + "long" * 500)), tmp_path, "a\ufffdb\ufffd")


def test_escapes_control_sequences_in_input_names(tmp_path):
    b = Builder(**{"a\nb": [1, None]})

    with pytest.raises(UsageError, match="a\ufffdb") as caught:
        read_onnx(saved(b.model(b.node("Relu", "a\nb")), tmp_path), {})
    assert "\n" not in str(caught.value)


BUILDERS = (onnx_files.residual_block, onnx_files.transformer_block, onnx_files.recurrent_network)
FILES = [build().SerializeToString() for build in BUILDERS]


@settings(deadline=10_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.sampled_from(FILES),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12),
    kept=st.floats(0.5, 1),
)
def test_damaged_file_is_one_line_or_a_network(content, changes, kept, tmp_path):
    damaged = bytearray(content)
    for place, byte in changes:
        damaged[int(place * len(damaged))] = byte
    path = tmp_path / "model.onnx"
    path.write_bytes(damaged[: int(len(damaged) * kept)])

    assert "\n" not in refusal(lambda: read_onnx(path, {}))


@settings(deadline=10_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_attributes_give_one_line_or_a_network(data, tmp_path):
    op = data.draw(st.sampled_from(["Conv", "ConvTranspose", "MaxPool", "Transpose", "ReduceMean", "Gemm", "LSTM"]))
    numbers = st.lists(st.sampled_from([-1, 0, 1, 2, 3, 7, 2**40]), min_size=1, max_size=4)
    schema = onnx.defs.get_schema(op, 17).attributes
    attributes = {
        name: data.draw(numbers if schema[name].type == onnx.defs.OpSchema.AttrType.INTS else st.integers(-2, 5))
        for name in schema
        if schema[name].type in (onnx.defs.OpSchema.AttrType.INTS, onnx.defs.OpSchema.AttrType.INT)
        and data.draw(st.booleans())
    }
    b = Builder(x=data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    del b.ports[0].type.tensor_type.shape.dim[0]
    b.ports[0].type.tensor_type.shape.dim.insert(0, onnx.TensorShapeProto.Dimension(dim_value=1))
    weights = [b.weight(*data.draw(st.lists(st.integers(0, 5), max_size=4))) for _ in range(2)]
    path = saved(b.model(b.node(op, "x", *weights[: schema_inputs(op) - 1], **attributes)), tmp_path)

    assert "\n" not in refusal(lambda: read_onnx(path, {}))


def schema_inputs(op):
    return min(3, onnx.defs.get_schema(op, 17).max_input)


def test_refuses_inputs_of_strings(tmp_path):
    b = Builder(x=[1, 4])
    model = b.model(b.node("Identity", "x"))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING

    refuse(model, tmp_path, "input 'x' takes strings")
