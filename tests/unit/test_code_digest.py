"""The digest of code: what it follows, what it ignores, and that an export's key holds all code that makes it."""

import re
import sys
from pathlib import Path

import pytest

import perfcast
from perfcast.code_digest import SourceTree
from perfcast.export.key import export_key, not_run
from perfcast.export.stage import build
from perfcast.models import dense, synthetic
from perfcast.models.build import SOURCES
from perfcast.models.external.kinds import KINDS
from perfcast.models.external.kinds import SOURCES as EXTERNAL
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


SPECS = {
    "synthetic": synthetic.make_spec(
        "basic_model", (32, 32, 3), {"conv_layers": 1, "filter_size": 3, "filters": 4, "strides": 2}
    ),
    "dense": dense.make_spec("mlp", (8,), {"layers": 1, "units": 4}),
}


@pytest.mark.parametrize("source", ["synthetic", "dense", "file"])
def test_artifact_key_covers_all_code_that_runs(source, request):
    spec = SPECS.get(source) or request.getfixturevalue("keras_file")
    ran = functions_run_by(lambda: build(spec))
    # Converters count in the keys of their programs.
    without = {*not_run([spec.source]), "perfcast.export.programs"}
    counted = SourceTree().files(["perfcast.export.stage"], without=without)
    assert len(ran) > 5
    assert ran <= counted


def counted_for(source):
    without = {*not_run([source]), "perfcast.export.programs"}
    counted = SourceTree().files(["perfcast.export.stage"], without=without)
    return {str(path.relative_to(Path(perfcast.__file__).parent)) for path in counted}


def test_code_of_other_sources_does_not_count_in_a_key():
    names = counted_for("synthetic")
    assert "models/synthetic.py" in names
    assert not {"models/dense.py", "models/keras_applications.py", "export/external.py"} & names
    assert not [name for name in names if re.match(r"formats/(tflite_graph|onnx_graph|hub)", name)]


def test_key_of_external_models_skips_unmeasurable_formats():
    assert {kind.label for kind in KINDS if kind.unmeasurable} == {"descriptor", "ONNX", "LiteRT"}
    names = counted_for("file")
    assert {"formats/hub.py", "formats/keras_json/network.py", "formats/tensorflow_graph/model.py"} <= names
    assert not [name for name in names if re.match(r"formats/(tflite_graph|onnx_graph)", name)]


def test_every_source_is_known_to_keys():
    tree = SourceTree()
    for source in (*SOURCES, *EXTERNAL):
        others = not_run([source])
        assert len(others) == len(not_run([])) - (1 if source in SOURCES else 2)
        assert all(tree.files([name]) for name in others)


def test_keys_differ_by_spec():
    assert export_key(SPECS["dense"]) != export_key(SPECS["synthetic"])
