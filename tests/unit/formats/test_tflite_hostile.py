"""TensorFlow Lite files that are damaged or meant to harm: one clear line, and nothing else, comes of them."""

import os
import struct

import flatbuffers
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfcast.errors import SourceError
from perfcast.formats.tflite_graph import read_tflite
from perfcast.formats.tflite_graph.parsing import schema
from tests.unit.formats.reading import refusal
from tests.unit.formats.tflite_files import Builder, small_network


def refuse(builder, folder, match, *outputs):
    with pytest.raises(SourceError, match=match) as caught:
        read_tflite(builder.save(folder, *outputs), {})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"not tflite at all", os.urandom(300), b"\0\0\0\0TFL3"])
def test_refuses_other_files(content, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)

    with pytest.raises(SourceError, match="not a "):
        read_tflite(path, {})


def test_refuses_missing_files(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        read_tflite(tmp_path / "absent.tflite", {})


@pytest.mark.parametrize("offset", [0, 4, 2**31 - 1, 2**32 - 1])
def test_refuses_offsets_outside_the_file(offset, tmp_path):
    b = small_network()
    path = b.save(tmp_path, len(b.tensors) - 1)
    content = bytearray(path.read_bytes())
    content[:4] = struct.pack("<I", offset)
    path.write_bytes(content)

    with pytest.raises(SourceError):
        read_tflite(path, {})


@pytest.mark.parametrize("code", ["WHILE", "IF", "CALL", "STABLEHLO_COMPOSITE"])
def test_refuses_calls_of_other_graphs_by_name(code, tmp_path):
    b = Builder([1, 4])
    x = b.operator(code, [0], b.tensor([1, 4], name="net/again"))

    refuse(b, tmp_path, rf"'net/again' \({code}\) calls another graph", x)


def test_refuses_operators_out_of_order(tmp_path):
    b = Builder([1, 4])
    x = b.operator("RELU", [b.operator("TANH", [0], b.tensor([1, 4], name="early"))], [1, 4])
    b.operators.reverse()

    refuse(b, tmp_path, "reads 'early', which nothing before it returns", x)


def test_refuses_two_operators_with_one_output(tmp_path):
    b = Builder([1, 4])
    x = b.operator("TANH", [0], b.tensor([1, 4], name="same"))
    b.operator("RELU", [0], x)

    refuse(b, tmp_path, "'same', which exists already", x)


def test_refuses_operators_that_overwrite_a_weight(tmp_path):
    b = Builder([1, 4])
    x = b.operator("TANH", [0], b.weight(1, 4, name="fixed"))

    refuse(b, tmp_path, "'fixed', which exists already", x)


def test_refuses_outputs_without_a_source(tmp_path):
    b = Builder([1, 4])
    b.operator("TANH", [0], [1, 4])

    refuse(b, tmp_path, "nothing returns the network's output 'absent'", b.tensor([1, 4], name="absent"))


def test_refuses_networks_that_ignore_their_inputs(tmp_path):
    b = Builder([1, 4])

    refuse(b, tmp_path, "do not depend on its inputs", b.operator("TANH", [b.weight(4)], [4]))


@pytest.mark.parametrize("indices", [[99], [-2], [2**31 - 1]])
def test_refuses_indices_out_of_range(indices, tmp_path):
    b = Builder([1, 4])

    refuse(b, tmp_path, "damaged", b.operator("TANH", indices, [1, 4]))


@pytest.mark.parametrize("shape", [[1, -7], [1, 2**31 - 1], [1] * 40])
def test_refuses_impossible_shapes(shape, tmp_path):
    b = Builder([1, 4])

    refuse(b, tmp_path, "'odd' has the shape", b.operator("TANH", [0], b.tensor(shape, name="odd")))


def test_refuses_weights_of_wrong_rank(tmp_path):
    b = Builder([1, 4])

    refuse(b, tmp_path, "CONV_2D.*axes", b.operator("CONV_2D", [0, b.weight(4, 4)], [1, 4], options="Conv2DOptions"))


def test_refuses_operators_without_inputs(tmp_path):
    b = Builder([1, 4])

    refuse(b, tmp_path, "FULLY_CONNECTED.*missing", b.operator("FULLY_CONNECTED", [0], [1, 4]))


def test_reads_tensors_of_one_name_or_none(tmp_path):
    b = Builder([1, 4])
    x = b.operator("TANH", [0], b.tensor([1, 4], name="same"))
    x = b.operator("RELU", [x], b.tensor([1, 4], name="same"))
    x = b.operator("RELU6", [x], b.tensor([1, 4], name=""))

    names = [layer["name"] for layer in read_tflite(b.save(tmp_path, x), {}).descriptor()["layers"]]

    assert len(set(names)) == len(names) == 4


def test_escapes_control_sequences_in_names(tmp_path):
    b = Builder([1, 4])

    refuse(b, tmp_path, "a\ufffdb\ufffd", b.operator("WHILE", [0], b.tensor([1, 4], name="a\nb\x1b[31m")))


def test_reads_a_shared_long_name_once(tmp_path):
    parts, packer = schema(), flatbuffers.Builder(1024)
    name, tensors = packer.CreateString("n" * 1_000_000), []
    for _ in range(20_000):
        parts.TensorStart(packer)
        parts.TensorAddName(packer, name)
        tensors.append(parts.TensorEnd(packer))
    vector = offsets(packer, parts.SubGraphStartTensorsVector, tensors)
    parts.SubGraphStart(packer)
    parts.SubGraphAddTensors(packer, vector)
    graphs = offsets(packer, parts.ModelStartSubgraphsVector, [parts.SubGraphEnd(packer)])
    parts.ModelStart(packer)
    parts.ModelAddSubgraphs(packer, graphs)
    packer.Finish(parts.ModelEnd(packer), file_identifier=b"TFL3")
    path = tmp_path / "model.tflite"
    path.write_bytes(packer.Output())

    with pytest.raises(SourceError, match="damaged"):
        read_tflite(path, {})


def offsets(packer, start, items):
    """Return a vector of tables."""
    start(packer, len(items))
    for item in items:
        packer.PrependUOffsetTRelative(item)
    return packer.EndVector()


FILE = small_network().content(len(small_network().tensors) - 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, len(FILE) - 1), st.integers(0, 255)), max_size=12),
    kept=st.integers(len(FILE) // 2, len(FILE)),
)
def test_damaged_file_is_one_line_or_a_network(changes, kept, tmp_path):
    damaged = bytearray(FILE)
    for place, byte in changes:
        damaged[place] = byte
    path = tmp_path / "model.tflite"
    path.write_bytes(damaged[:kept])

    assert "\n" not in refusal(lambda: read_tflite(path, {}))
