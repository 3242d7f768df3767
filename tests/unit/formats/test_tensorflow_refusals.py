"""What no SavedModel or frozen graph may be: each is refused with one line, and nothing of it runs."""

import shutil

import numpy as np
import pytest

from perfcast.errors import SourceError
from perfcast.formats.tensorflow_graph import read_frozen_graph, read_saved_model
from tests.unit.formats import tensorflow_files as files

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A sound SavedModel."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("sound")
    module = tf.Module()
    module.weight = tf.Variable(tf.random.normal((40, 60), seed=1))
    module.call = tf.function(lambda x: x @ module.weight, input_signature=[tf.TensorSpec((None, 40), name="x")])
    tf.saved_model.save(module, str(folder / "model"), signatures={"classify": module.call, "score": module.call})
    return folder / "model"


@pytest.fixture
def damaged(sound, tmp_path):
    """A copy of it, to be damaged."""
    shutil.copytree(sound, tmp_path / "model")
    return tmp_path / "model"


def refusal(folder, **options):
    with pytest.raises(SourceError) as caught:
        read_saved_model(folder, {}, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert str(folder) not in text
    return text


def test_unknown_signature_is_refused_with_the_existing_ones(sound):
    assert refusal(sound) == "has no signature 'serving_default'; its signatures are classify, score"
    assert read_saved_model(sound, {}, signature="score").interface["weights"] == 1


def test_truncated_saved_model_is_refused(damaged):
    path = damaged / "saved_model.pb"
    path.write_bytes(path.read_bytes()[:-200])
    assert "damaged" in refusal(damaged, signature="score")


def test_random_bytes_are_refused(damaged):
    (damaged / "saved_model.pb").write_bytes(np.random.default_rng(0).bytes(5000))
    assert "damaged" in refusal(damaged, signature="score")


def test_empty_file_is_refused(damaged):
    (damaged / "saved_model.pb").write_bytes(b"")
    assert "no graph for serving" in refusal(damaged)


def test_folder_without_a_saved_model_is_refused(tmp_path):
    assert "no file saved_model.pb" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["variables.index", "variables.data-00000-of-00001"])
@pytest.mark.parametrize("damage", ["delete", "truncate", "flip"])
def test_missing_or_damaged_variables_are_refused(damaged, name, damage):
    path = damaged / "variables" / name
    content = path.read_bytes()
    if damage == "delete":
        path.unlink()
    else:
        middle = len(content) // 2
        path.write_bytes(content[:middle] + (b"" if damage == "truncate" else b"\x00" * (len(content) - middle)))
    assert "variables" in refusal(damaged, signature="score")


def read_built(build, folder):
    return read_frozen_graph(files.write_graph(build, folder / "graph.pb"), {})


def refuse(build, folder, match):
    with pytest.raises(SourceError, match=match) as caught:
        read_built(build, folder)
    assert "\n" not in str(caught.value)


def placeholder(tf):
    return tf.compat.v1.placeholder(tf.float32, (None, 4), name="x")


def reads_a_file(tf):
    read = tf.strings.to_number(tf.io.read_file("/etc/hostname"))
    tf.add(placeholder(tf), read, name="out")


def writes_a_file(tf):
    with tf.control_dependencies([tf.io.write_file("written.txt", "x")]):
        tf.identity(placeholder(tf), name="out")


def prints_to_a_file(tf):
    with tf.control_dependencies([tf.print("x", output_stream="file://written.txt")]):
        tf.identity(placeholder(tf), name="out")


def runs_python(tf):
    tf.compat.v1.py_func(lambda x: x, [placeholder(tf)], tf.float32, name="out")


def runs_stateless_python(tf):
    tf.compat.v1.py_func(lambda x: x, [placeholder(tf)], tf.float32, stateful=False, name="out")


def matches_files(tf):
    count = tf.size(tf.io.matching_files("/etc/*"), out_type=tf.int32)
    tf.add(placeholder(tf), tf.cast(count, tf.float32), name="out")


def looks_up(tf):
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1.0], [2.0], tf.float32, tf.float32), 0.0)
    table.lookup(placeholder(tf), name="out")


@pytest.mark.parametrize(
    "build", [reads_a_file, writes_a_file, prints_to_a_file, runs_python, runs_stateless_python, matches_files]
)
def test_operations_that_touch_files_or_run_code_are_refused(build, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse(build, tmp_path, r"^operation '.*' \(\w+\) (may touch files or run code|works on strings)")
    assert [path.name for path in tmp_path.iterdir()] == ["graph.pb"]


def test_non_numeric_operations_are_refused(tmp_path):
    refuse(looks_up, tmp_path, r"^operation ")


def test_saved_model_function_that_writes_files_is_refused(tmp_path):
    import tensorflow as tf

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x")])
    def call(x):
        tf.io.write_file(str(tmp_path / "written.txt"), "x")
        return x + 1.0

    module.call = call
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=call)
    assert "(WriteFile) may touch files or run code" in refusal(tmp_path / "model")
    assert not (tmp_path / "written.txt").exists()


@pytest.mark.parametrize(
    ("op", "match"), [("MyOwnOp", "not an operation of TensorFlow"), ("", "not an operation of TensorFlow")]
)
def test_unknown_operations_are_refused(op, match, tmp_path):
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    node = graph.node.add(name="x", op="Placeholder")
    node.attr["dtype"].type = 1
    graph.node.add(name="out", op=op, input=["x"])
    (tmp_path / "graph.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(SourceError, match=match):
        read_frozen_graph(tmp_path / "graph.pb", {"x": (1, 4)})


def test_loops_are_refused_by_name(tmp_path):
    def build(tf):
        x = placeholder(tf)
        tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 2.0), [tf.constant(0), x])

    refuse(build, tmp_path, r"branches or loops: its layers cannot be determined")


def save_function(function, folder):
    import tensorflow as tf

    module = tf.Module()
    module.call = tf.function(function, input_signature=[tf.TensorSpec((None, 4), name="x")])
    tf.saved_model.save(module, str(folder), signatures=module.call)
    return folder


def test_assertions_are_not_branches(tmp_path):
    import tensorflow as tf

    def call(x):
        tf.debugging.assert_greater(tf.reduce_sum(x), -1.0)
        return tf.nn.relu(x)

    found = read_saved_model(save_function(call, tmp_path), {})
    assert [layer.type for layer in found.network.layers] == ["InputLayer", "Activation"]


def test_branch_that_writes_is_refused(tmp_path):
    import tensorflow as tf

    def call(x):
        tf.cond(tf.reduce_sum(x) > 0, lambda: tf.io.write_file(str(tmp_path / "written.txt"), "x"), tf.no_op)
        return x + 1.0

    assert "(WriteFile) may touch files or run code" in refusal(save_function(call, tmp_path))


def test_strings_are_refused_by_the_inputs_name(tmp_path):
    def build(tf):
        text = tf.compat.v1.placeholder(tf.string, (None, 1), name="text")
        tf.strings.to_number(text, name="out")

    refuse(build, tmp_path, r"^input 'text' takes string")


def test_endless_recursion_is_refused(tmp_path):
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    node = graph.node.add(name="x", op="Placeholder")
    node.attr["dtype"].type = 1
    node.attr["shape"].shape.dim.add(size=1)
    node.attr["shape"].shape.dim.add(size=4)
    graph.node.add(name="out", op="forever", input=["x"])
    function = graph.library.function.add()
    function.signature.name = "forever"
    function.signature.input_arg.add(name="a", type=1)
    function.signature.output_arg.add(name="b", type=1)
    function.node_def.add(name="again", op="forever", input=["a"])
    function.node_def.add(name="twice", op="forever", input=["again:b:0"])
    function.ret["b"] = "twice:b:0"
    (tmp_path / "graph.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(SourceError, match="call each other"):
        read_frozen_graph(tmp_path / "graph.pb", {})


@pytest.mark.parametrize("content", [b"", b"\xff" * 4000, b"not a graph"])
def test_files_without_a_graph_are_refused(content, tmp_path):
    (tmp_path / "graph.pb").write_bytes(content)
    with pytest.raises(SourceError, match="not a "):
        read_frozen_graph(tmp_path / "graph.pb", {})


def test_constant_larger_than_memory_is_refused(tmp_path):
    from tensorflow.core.framework import graph_pb2

    path = files.write_graph(lambda tf: tf.add(placeholder(tf), [1.0, 2.0, 3.0, 4.0], name="out"), tmp_path / "g.pb")
    graph = graph_pb2.GraphDef.FromString(path.read_bytes())
    for node in graph.node:
        if node.op == "Const":
            node.attr["value"].tensor.tensor_shape.dim[0].size = 10**15
    path.write_bytes(graph.SerializeToString())
    with pytest.raises(SourceError, match="constant"):
        read_frozen_graph(path, {})


def test_a_graph_with_variables_is_not_frozen(tmp_path):
    def build(tf):
        tf.matmul(placeholder(tf), tf.compat.v1.get_variable("w", (4, 5)))

    refuse(build, tmp_path, "is not frozen")
