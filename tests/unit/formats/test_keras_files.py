"""Saved Keras models: read as the text that they hold, and looked through before Keras may load them."""

import contextlib
import json
import resource
import stat
import struct
import subprocess
import sys
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from perfcast.errors import PerfcastError, naming
from perfcast.export.programs import convert
from perfcast.formats.keras_json import container, network_of
from perfcast.formats.keras_json.live import network_of_live
from perfcast.models.external.kinds import kind_of
from perfcast.models.external.options import ReadOptions
from perfcast.models.external.reading import build_external, describe_external
from perfcast.models.spec import ModelSpec
from tests.unit.formats.keras_samples import SAMPLES
from tests.unit.formats.keras_texts import build, described, layer2, model2

pytestmark = pytest.mark.heavy

ENDINGS = (".keras", ".h5", ".hdf5")
HDF5 = b"\x89HDF\r\n\x1a\n"


def held(path, document, **member):
    """Write a saved model that holds a configuration, and nothing else."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    if path.suffix == ".keras":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", text, **member)
    else:
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = text
    return path


def exported(path, **options):
    """Return the graph and the descriptor of a saved model that is to be measured."""
    parameters = {"input_shapes": {}, **options}
    return build_external(ModelSpec("net", "net", "file", str(path), (1,), parameters))


def graph_of(built):
    return convert(built, "graph.pb")[0]


def body_of(path, *, to_run=False, **options):
    if to_run:
        descriptor = exported(path, **options).descriptor
    else:
        with naming(str(path)):
            descriptor = describe_external(kind_of(str(path)), str(path), ReadOptions(**options))
    return {key: descriptor[key] for key in ("input_shape", "inputs", "outputs", "layers")}


def refused(path, **options):
    with pytest.raises(PerfcastError) as caught:
        body_of(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def loaded(path):
    """What the layers of a saved model say once Keras has loaded it."""
    keras.backend.clear_session()
    return described(keras.saving.load_model(path, compile=False))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("sample", [name for name in SAMPLES if name != "cnn2"])
def test_keras_file_equals_its_json(tmp_path, sample, ending):
    expected = network_of(SAMPLES[sample], {}).descriptor()
    assert body_of(held(tmp_path / f"net{ending}", SAMPLES[sample])) == json.loads(json.dumps(expected))


def test_unpacked_keras_file_is_the_same_model(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net/config.json").write_text(json.dumps(SAMPLES["operations3"]))
    assert body_of(tmp_path / "net") == body_of(held(tmp_path / "net.keras", SAMPLES["operations3"]))


def branched():
    inputs = keras.Input((12, 12, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(inputs))
    inner = keras.Sequential([keras.Input((10, 10, 4)), layers.SeparableConv2D(4, 3, padding="same")], name="inner")
    x = layers.Add()([inner(x), x])
    return keras.Model(inputs, layers.Dense(3, "softmax")(layers.GlobalAveragePooling2D()(x)))


def compiled():
    base = keras.Sequential([keras.Input((6,)), layers.Dense(4, "gelu", kernel_regularizer="l2")], name="base")
    base.compile("adam", loss="mse", metrics=["mae"])
    model = keras.Sequential([keras.Input((6,)), base, layers.Dense(2, bias_constraint=keras.constraints.NonNeg())])
    model.compile(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.9)), loss="mse")
    return model


def constants():
    start = keras.initializers.Constant([0.1, 0.2, 0.3])
    first = layers.Dense(3, bias_initializer=start, dtype="mixed_float16")
    return keras.Sequential([keras.Input((8, 5)), first, layers.Bidirectional(layers.LSTM(3))])


def attending():
    inputs = keras.Input((6, 8))
    attended = layers.MultiHeadAttention(2, 4)(inputs, inputs)
    return keras.Model(inputs, keras.ops.mean(keras.ops.matmul(attended, keras.ops.ones((8, 5))), axis=1))


def unbuilt():
    model = keras.Sequential([layers.Dense(3), layers.ReLU()])
    model.build((None, 7))
    return model


@pytest.mark.parametrize("make", [branched, compiled, constants, attending, unbuilt])
@pytest.mark.filterwarnings("ignore")
def test_read_and_loaded_model_agree(tmp_path, make):
    model = make()
    endings = (".keras",) if make is attending else (".keras", ".h5")
    for ending in endings:
        path = tmp_path / f"net{ending}"
        model.save(path)
        assert body_of(path) == loaded(path)
        # What passes here is what Keras is let load.
        assert body_of(path, to_run=True) == body_of(path)


def with_code():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3)(layers.Lambda(lambda t: t[:, ::2])(inputs))
    double = layers.Lambda(lambda t: keras.ops.concatenate([t, t], -1))
    inner = keras.Sequential([keras.Input((2, 6, 4)), double, layers.Dense(2, activation=lambda t: t * 2)], name="in")
    return keras.Model(inputs, inner(layers.TimeDistributed(layers.Lambda(lambda t: t + 1))(x)))


def several_outputs():
    inputs = keras.Input((5, 4))
    return keras.Model(inputs, layers.Lambda(lambda t: [t, t[..., :2]])(inputs))


def quantised():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4, "relu"), layers.Dense(2)])
    model.quantize("int8")
    return model


def of_own_class():
    class Scaled(keras.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(shape[-1],), name="scale")

        def call(self, inputs):
            return inputs * self.scale

    return keras.Sequential([keras.Input((7, 3)), layers.Dense(3), Scaled()])


@pytest.mark.parametrize("make", [with_code, several_outputs, quantised, of_own_class])
@pytest.mark.filterwarnings("ignore")
def test_live_model_completes_its_configuration(make):
    model = make()
    assert json.loads(json.dumps(network_of_live(model, {}).descriptor())) == described(model)


@pytest.mark.parametrize(
    ("layer", "columns"),
    [
        (layers.StringLookup(vocabulary=["a", "b", "c"], output_mode="multi_hot"), 4),
        (layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot", max_tokens=9, pad_to_max_tokens=True), 9),
        (layers.TextVectorization(vocabulary=["a", "b"], output_sequence_length=7), 7),
        (layers.TextVectorization(vocabulary=["a", "b"], output_mode="count"), 3),
    ],
    ids=["words", "padded", "sequence", "count"],
)
def test_lookup_layers_give_their_shapes(tmp_path, layer, columns):
    shape = () if isinstance(layer, layers.TextVectorization) else (1,)
    inputs = keras.Input((1,), dtype="string")
    tensor = inputs if shape else keras.ops.squeeze(inputs, axis=1)
    model = keras.Model(inputs, layer(tensor))
    model.save(tmp_path / "words.keras")
    body = body_of(tmp_path / "words.keras")
    assert body["outputs"][0]["shape"] == [columns]
    assert body == loaded(tmp_path / "words.keras")


@pytest.mark.filterwarnings("ignore")
def test_keras_2_files_are_read(tmp_path):
    import tf_keras

    old = tf_keras.layers
    model = tf_keras.Sequential([old.Conv1D(4, 3, input_shape=(20, 3)), old.Bidirectional(old.LSTM(5)), old.Dense(2)])
    model.compile("adam", "mse")
    expected = json.loads(json.dumps(network_of(json.loads(model.to_json()), {}).descriptor()))
    for ending in ENDINGS:
        model.save(tmp_path / f"net{ending}")
        assert body_of(tmp_path / f"net{ending}") == expected


NEITHER = """
import sys
from perfcast.cli import main
try:
    main(["features", sys.argv[1], "--out", sys.argv[2]])
finally:
    assert not {"keras", "tensorflow"} & sys.modules.keys()
"""


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_prediction_from_a_keras_file_takes_under_3_seconds(tmp_path, ending):
    model = build(lambda: keras.applications.MobileNetV2(weights=None, input_shape=(96, 96, 3)))
    path = held(tmp_path / f"net{ending}", json.loads(model.to_json()))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "from perfcast.cli import main; main()", "predict", path]
    subprocess.run(command, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Of the processor's time, which other tests beside this one do not lengthen as they do the clock's.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_features_of_a_keras_file_need_no_tensorflow(tmp_path, ending):
    path = held(tmp_path / f"net{ending}", SAMPLES["operations3"])
    command = [sys.executable, "-c", NEITHER, path, tmp_path / "x.csv"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")


def test_h5_file_is_measured_with_its_values(tmp_path):
    model = keras.Sequential([keras.Input((5,), name="x"), layers.Dense(3, name="d")])
    for ending in (".h5", ".keras"):
        model.save(tmp_path / f"net{ending}")
    graphs = {
        (ending, values): graph_of(exported(tmp_path / f"net{ending}", weights="values" if values else "random"))
        for ending in (".h5", ".keras")
        for values in (False, True)
    }
    assert graphs[".h5", False] == graphs[".keras", False]
    assert graphs[".h5", True] == graphs[".keras", True]
    kernel = np.asarray(model.get_weights()[0]).tobytes()
    assert kernel in graphs[".h5", True]
    assert kernel not in graphs[".h5", False]


def zipped(path, *members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members:
            # The library warns of names that are there already.
            with warnings.catch_warnings(action="ignore"):
                archive.writestr(name, text)
    return path


TEXT = json.dumps(model2(layer2("d", "Dense", "x", units=3)))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../x", "its member '../x' escapes it (path traversal)"),
        ("a/../../x", "escapes it"),
        ("/etc/x", "escapes it"),
        ("..\\x", "escapes it"),
        ("C:x", "escapes it"),
        ("config.json", "its member 'config.json' is there twice"),
        ("a\x1b[2J/../x", "its member 'a\ufffd[2J/../x' escapes"),
    ],
)
def test_archive_with_a_harmful_member_is_refused(tmp_path, name, words):
    path = zipped(tmp_path / "net.keras", ("config.json", TEXT), (name, "x"))
    assert words in refused(path)
    assert words in refused(path, to_run=True, allow_code=True)


def member(name, **fields):
    info = zipfile.ZipInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def test_links_and_unknown_compressions_are_refused(tmp_path):
    link = member("assets", external_attr=(stat.S_IFLNK | 0o777) << 16)
    assert "'assets' is a link" in refused(zipped(tmp_path / "a.keras", ("config.json", TEXT), (link, "/etc")))
    other = member("x", compress_type=zipfile.ZIP_LZMA)
    assert "compressed in a way" in refused(zipped(tmp_path / "b.keras", ("config.json", TEXT), (other, "x")))
    data = bytearray(zipped(tmp_path / "c.keras", ("config.json", TEXT)).read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "c.keras").write_bytes(data)
    assert "is encrypted" in refused(tmp_path / "c.keras")


def test_archive_bombs_are_refused_before_unpacking(tmp_path):
    path = tmp_path / "net.keras"
    held(path, b" " * (container.MAX_BYTES + 1), compress_type=zipfile.ZIP_DEFLATED)
    assert "'config.json' is larger than 100 MB" in refused(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", TEXT)
        with archive.open("model.weights.h5", "w") as file:
            for _ in range(300):
                file.write(bytes(1_000_000))
    assert "would unpack to more than 100 times its size" in refused(path)


def test_declared_sizes_of_members_are_not_trusted(tmp_path):
    path = held(tmp_path / "net.keras", TEXT.encode(), compress_type=zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", len(TEXT) // 2)
    path.write_bytes(data)
    assert "not a readable Keras file" in refused(path)


def test_archives_with_too_many_members_are_refused(tmp_path):
    path = tmp_path / "many.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(container._MAX_MEMBERS + 1):
            archive.writestr(str(index), b"")
    assert "lists more than 10,000 members" in refused(path)
    data = path.read_bytes() + bytes(container._MAX_DIRECTORY_BYTES)
    # An end that says that all of this is the list of members.
    path.write_bytes(data + b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 1, 1, len(data), 0, 0))
    assert "lists more than 10,000 members" in refused(path)


def test_damaged_archives_are_one_line(tmp_path):
    path = tmp_path / "net.keras"
    whole = held(path, TEXT.encode(), compress_type=zipfile.ZIP_DEFLATED).read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        refused(path)
    for at in range(0, len(whole), 5):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        # A flipped bit in what is not read may do no harm.
        with contextlib.suppress(PerfcastError):
            body_of(path)
    assert "has no member 'config.json'" in refused(zipped(path, ("config.yaml", "x")))
    assert "is not JSON" in refused(held(path, b"{"))
    assert "it has no class_name" in refused(held(path, []))
    assert "it has no class_name" in refused(held(path, [1]), to_run=True)


def test_damaged_h5_files_are_one_line(tmp_path):
    path = tmp_path / "net.h5"
    whole = held(path, TEXT.encode()).read_bytes()
    for content in (b"", HDF5, HDF5 + bytes(500), whole[: len(whole) // 2], b"PK\x03\x04"):
        path.write_bytes(content)
        assert "not a readable HDF5 file" in refused(path)
    for value in (3.0, [b"a", b"b"], np.zeros((2, 2)), h5py.Empty("S1")):
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = value
        assert "is not the text of a model" in refused(path)
    with h5py.File(path, "w") as file:
        file["layers"] = 1
    assert "holds weights but no network" in refused(path)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("document", "words"),
    [
        (model2(layer2("crop", "Lambda", "x", output_shape=[3])), "layer 'crop' is a Lambda, which is code; if you"),
        (model2(layer2("own", "Mine", "x")), "layer 'own' is a Mine, a type whose output shape is not known"),
        ({"class_name": "Mine", "config": {"units": 3}}, "the model 'Mine' lists no layers"),
    ],
)
def test_missing_information_is_named(tmp_path, ending, document, words):
    assert words in refused(held(tmp_path / f"net{ending}", document))


def dense(**config):
    return {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", "units": 1, **config}}


def named(module, kind, config=None, **more):
    return {"module": module, "class_name": kind, "config": {} if config is None else config, **more}


ATTACKS = {
    # CVE-2025-1550: a module of others.
    "module": (dense(kernel_initializer=named("os", "system")), "has system, which is not part of Keras"),
    "subprocess": (
        named("subprocess", "Popen", {"name": "p", "args": "id"}),
        "is a Popen, which is not a layer of Keras",
    ),
    "registered": (dense() | {"registered_name": "a>Dense"}, "layer 'd' is a Dense, which is not a layer of Keras"),
    # CVE-2025-8747: functions of Keras, which run when they are called.
    "download": (named("keras.utils", "get_file", {"name": "x"}), "is a get_file, which is not a layer of Keras"),
    "unlock": (named("keras.config", "enable_unsafe_deserialization"), "not part of Keras"),
    "function": (dense(activation=named("keras.utils", "function", "get_file")), "has the function 'get_file'"),
    "lower": (dense(activation=named("keras.layers", "deserialize", {"config": {}})), "has deserialize, which is not"),
    "builtins": (dense(activation=named("builtins", "Eval")), "has Eval, which is not part of Keras"),
    "source": (dense(activation=named("keras.src.utils.file_utils", "Archive")), "has Archive, which is not part"),
    "typespec": (dense(x=named("os", "__typespec__", [], spec_name="system")), "has the unknown value '__typespec__'"),
    "lambda": (dense(activation=named("builtins", "__lambda__", {"code": "e30="})), "has a lambda, which is code"),
    "wrapped": (named("keras.layers", "TimeDistributed", {"layer": named("keras.layers", "Lambda", {"name": "l"})}),
                "is a Lambda, which is code"),
    # Keras reads how nested models were trained, asked or not.
    "nested": (named("keras", "Sequential", {"layers": []}, compile_config={"loss": named("os", "function", "system")}),
               "has the function 'system'"),
    "saved": (named("keras.layers", "TFSMLayer", {"name": "t", "filepath": "/tmp"}), "is a TFSMLayer, which is code"),
}  # fmt: skip


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_unknown_classes_never_reach_keras(tmp_path, monkeypatch, attack, ending):
    layer, words = ATTACKS[attack]
    inputs = named("keras.layers", "InputLayer", {"name": "i", "batch_shape": [None, 3]})
    document = named("keras", "Sequential", {"name": "m", "layers": [inputs, layer]})
    path = held(tmp_path / f"net{ending}", document)
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("Keras was asked"))
    assert words in refused(path, to_run=True)


def test_training_configuration_is_ignored(tmp_path):
    training = {"loss": named("mine", "function", "loss"), "optimizer": named("mine", "Mine")}
    path = tmp_path / "net.keras"
    keras.Sequential([keras.Input((3,)), layers.Dense(2)]).save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(members["config.json"]) | {"compile_config": training}
    zipped(path, *(members | {"config.json": json.dumps(document)}).items())
    assert body_of(path, to_run=True) == body_of(path)


def test_json_is_checked_before_keras_builds_it(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.models, "model_from_json", lambda *_: pytest.fail("Keras was asked"))
    path = tmp_path / "net.json"
    path.write_text(json.dumps(model2(layer2("own", "Mine", "x") | {"module": "os"})))
    assert "layer 'own' is a Mine, which is not a layer of Keras" in refused(path, to_run=True)
    path.write_text("[]")
    assert "not that of a Keras model" in refused(path, to_run=True)
