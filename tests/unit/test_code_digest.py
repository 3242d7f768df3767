"""The digest of code: what it follows, what it ignores, and that an export's key holds all code that makes it."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

import perfcast
from perfcast.code_digest import SourceTree
from perfcast.export.key import export_key, makers_of, not_run
from perfcast.export.stage import build
from perfcast.models import dense, synthetic
from perfcast.models.external.kinds import FILE, KINDS, readers_of
from perfcast.models.external.spec import spec_of

ENTRY = '''"""A module."""
from typing import TYPE_CHECKING

from perfcast.direct import value

if TYPE_CHECKING:
    from perfcast.typed import Kind


def work():
    from perfcast.room.lazy import more
    from perfcast import plugs

    return value, more, plugs, "perfcast.named", "a.schema.json", "none.schema.json"
'''
FILES = {
    "__init__.py": "",
    "entry.py": ENTRY,
    "direct.py": "import perfcast.indirect\nvalue = 1\n",
    "indirect.py": "import os\n",
    "typed.py": "",
    "named.py": "",
    "unrelated.py": "",
    "room/__init__.py": "",
    "room/lazy.py": "more = 2\n",
    "room/other.py": "",
    "room/templates/page.html": "<p>",
    "plugs/__init__.py": "",
    "plugs/inner/plug.py": "",
    "schemas/a.schema.json": "{}",
    "schemas/b.schema.json": "{}",
}
COUNTED = FILES.keys() - {"__init__.py", "typed.py", "unrelated.py", "room/other.py", "schemas/b.schema.json"}


@pytest.fixture
def tree(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "perfcast" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def digest(tree, *entries, **options):
    return SourceTree(tree).digest(entries or ["perfcast.entry"], **options)


def test_imports_are_followed_wherever_they_stand(tree):
    assert {str(p.relative_to(tree / "perfcast")) for p in SourceTree(tree).files(["perfcast.entry"])} == COUNTED


@pytest.mark.parametrize("name", sorted(FILES))
def test_digest_changes_with_included_files_only(tree, name):
    before = digest(tree)
    with (tree / "perfcast" / name).open("a") as file:
        file.write("\nSOMETHING_NEW = 1\n")
    assert (digest(tree) != before) is (name in COUNTED)


@pytest.mark.parametrize("text", ["# One.\nvalue = 1", "value  =  (1)\n\n", '"""Docs."""\nvalue = 1\n"""More."""'])
def test_comments_layout_and_docstrings_do_not_count(tree, text):
    before, path = digest(tree), tree / "perfcast/direct.py"
    path.write_text(path.read_text().replace("value = 1", text))
    assert digest(tree) == before


def test_docstrings_that_are_read_count(tree):
    path = tree / "perfcast/direct.py"
    path.write_text('"""One."""\nvalue = __doc__\n')
    before = digest(tree)
    path.write_text('"""Another."""\nvalue = __doc__\n')
    assert digest(tree) != before


def test_excluded_package_does_not_count(tree):
    names = {
        path.name for path in SourceTree(tree).files(["perfcast.entry"], without=["perfcast.room", "perfcast.plugs"])
    }
    assert not {"lazy.py", "page.html", "plug.py"} & names


def test_excluded_imports_are_not_followed(tree):
    before = digest(tree, without=["perfcast.direct"])
    (tree / "perfcast/indirect.py").write_text("X = 1\n")
    assert digest(tree, without=["perfcast.direct"]) == before


def test_a_module_that_moved_is_another(tree):
    (tree / "perfcast/room/other.py").write_text("more = 2\n")
    first, second = digest(tree, "perfcast.room.lazy"), digest(tree, "perfcast.room.other")
    assert first != second


def test_entry_must_exist_and_imports_be_absolute(tree):
    with pytest.raises(ModuleNotFoundError, match=r"perfcast\.room\.none"):
        digest(tree, "perfcast.room.none")
    (tree / "perfcast/room/other.py").write_text("from . import lazy\n")
    with pytest.raises(SyntaxError):
        digest(tree, "perfcast.room.other")


def functions_run_by(action):
    """Return the files of the package whose functions run."""
    package, found = str(Path(perfcast.__file__).parent), set()

    def note(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(package) and code.co_name != "<module>":
            found.add(Path(code.co_filename))

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return found


@pytest.fixture
def keras_file(tmp_path):
    import keras

    path = tmp_path / "own.json"
    path.write_text(keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)]).to_json())
    return spec_of(str(path), (4,), {"input_shapes": {}})


@pytest.fixture
def saved_model(tmp_path):
    import tensorflow as tf

    module = tf.Module()
    module.weight = tf.Variable(tf.ones((4, 2)))
    module.call = tf.function(lambda x: x @ module.weight, input_signature=[tf.TensorSpec((None, 4))])
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"serving_default": module.call})
    return spec_of(str(tmp_path / "saved"), (4,), {"input_shapes": {}})


SPECS = {
    "synthetic": synthetic.make_spec(
        "basic_model", (32, 32, 3), {"conv_layers": 1, "filter_size": 3, "filters": 4, "strides": 2}
    ),
    "dense": dense.make_spec("mlp", (8,), {"layers": 1, "units": 4}),
}


def counted_for(spec):
    makers = makers_of(spec)
    # Converters count in the keys of their programs.
    without = {*not_run(makers), "perfcast.export.programs"}
    return SourceTree().files(["perfcast.export.stage", *makers], without=without)


@pytest.mark.parametrize("source", ["synthetic", "dense", "file", "saved_model"])
def test_artifact_key_covers_all_code_that_runs(source, request):
    spec = SPECS.get(source) or request.getfixturevalue("keras_file" if source == "file" else source)
    ran = functions_run_by(lambda: build(spec))
    assert len(ran) > 5
    assert ran <= counted_for(spec)


READERS = {
    "net.keras": {"formats/keras_json/network.py"},
    "net.json.gz": {"formats/keras_json/network.py"},
    "net.pb": {"formats/tensorflow_graph/reading.py"},
    "net.tar.gz": {"formats/tensorflow_graph/reading.py", "formats/hub.py"},
    "https://example.org/net/1": {"formats/tensorflow_graph/reading.py", "formats/hub.py"},
    "folder": {"formats/tensorflow_graph/reading.py", "formats/keras_json/network.py"},
    "synthetic": {"models/synthetic.py"},
}
ALL = set().union(*READERS.values()) | {
    *("models/dense.py", "models/keras_applications.py", "models/external/reading.py"),
    *("formats/onnx_graph/reader.py", "formats/tflite_graph/reader.py"),
}
# All networks that Keras builds are described by their texts.
ALWAYS = {"formats/keras_json/network.py"}


@pytest.mark.parametrize("handle", READERS)
def test_key_skips_readers_and_catalogues_of_others(handle):
    spec = SPECS.get(handle) or spec_of(handle, (4,), {"input_shapes": {}})
    names = {str(path.relative_to(Path(perfcast.__file__).parent)) for path in counted_for(spec)}
    own = READERS[handle] if handle in SPECS else READERS[handle] | {"models/external/reading.py"}
    assert names & ALL - ALWAYS == own - ALWAYS


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.label)
def test_every_reader_exists_and_counts_in_keys(kind):
    assert kind.unmeasurable or SourceTree().files(readers_of(f"net{kind.endings[0]}" if kind.endings else "net", FILE))
    assert callable(getattr(import_module(f"perfcast.models.external.{kind.module}"), kind.function))


def test_keys_differ_by_spec():
    assert export_key(SPECS["dense"]) != export_key(SPECS["synthetic"])
