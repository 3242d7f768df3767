"""External models, as sheets list them and as shapes complete them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcast.errors import UsageError
from perfcast.formats.inputs import IMAGE, parse_input_shapes, resolve_shapes
from perfcast.models.collect import collect
from perfcast.models.external.kinds import kind_of
from perfcast.models.external.spec import files_of, name_of, with_content
from perfcast.models.sheet import parse_sheet

HEADER = "source,builder,input_size,parameters\n"


def spec_of(row):
    (spec,) = parse_sheet(HEADER + row + "\n", "sheet.csv")
    return spec


@pytest.mark.parametrize(
    ("row", "model", "family", "shape", "shapes"),
    [
        ("file,nets/mine.keras,96,", "mine_96", "mine", (96, 96, 3), {"*": [1, 96, 96]}),
        ("file,nets/mine.json.gz,96x64,family=mlps", "mine_96x64", "mlps", (96, 64, 3), {"*": [1, 96, 64]}),
        ('file,words,"ids=1,128;mask=1,128",name=bert', "bert_128", "bert", (128,), None),
        ('file,nchw.pb,"1,3,32,48",', "nchw_32x48", "nchw", (32, 48, 3), {"": [1, 3, 32, 48]}),
        (
            "tensorflow_hub,https://example.org/g/mobilenet_v2_035_96/classification/5,96,",
            "mobilenet_v2_035_96_classification_5_96",
            "mobilenet_v2_035_96_classification_5",
            (96, 96, 3),
            {"*": [1, 96, 96]},
        ),
        ("tensorflow_hub,saved/net.tar.gz,32,weights=values", "net_32", "net", (32, 32, 3), {"*": [1, 32, 32]}),
    ],
)
def test_a_row_names_the_model_and_its_shapes(row, model, family, shape, shapes):
    spec = spec_of(row)
    assert (spec.model, spec.family, spec.input_shape) == (model, family, shape)
    expected = shapes or {"ids": [1, 128], "mask": [1, 128]}
    assert spec.parameters["input_shapes"] == expected


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("file,,96,", "must be the path or address"),
        ("file,net.onnx,96,", "no toolchain here runs ONNX files"),
        ("file,net.tflite,96,", "no toolchain here runs LiteRT files"),
        ("file,net.keras,,", "input_size is missing"),
        ("file,net.keras,big,", "input shape 'big'"),
        ('file,net.keras,"8,8",', "a batch of 1"),
        ("file,net.keras,96,weights=imagenet", "must be random or values"),
        ("file,net.keras,96,allow_code=yes", "true or false"),
        ("file,net.keras,96,alpha=2", "unknown parameter 'alpha'"),
        (
            "web,net.keras,96,",
            "there are keras_applications, synthetic, dense, scaling, classic, convolution, file, tensorflow_hub",
        ),
    ],
)
def test_a_wrong_row_is_named(row, words):
    with pytest.raises(UsageError, match=r"^sheet.csv, row 2: ") as caught:
        spec_of(row)
    assert words in str(caught.value)


def test_an_edited_file_is_another_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "net"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables/data").write_bytes(b"1")
    spec = spec_of("file,net,96,")
    assert [path.name for path in files_of(spec)] == ["saved_model.pb", "data"]
    first = with_content(spec)
    assert with_content(spec).digest() == first.digest()
    (folder / "variables/data").write_bytes(b"2")
    assert with_content(spec).digest() != first.digest()
    address = spec_of("tensorflow_hub,https://example.org/a/1,96,")
    assert files_of(address) == []
    assert with_content(address) == address


def test_an_absent_file_is_named_with_its_sheet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sheet.csv").write_text(HEADER + "file,absent.keras,96,\n")
    with pytest.raises(UsageError, match=r"sheet.csv: absent.keras: there is no such file"):
        collect([tmp_path / "sheet.csv"], None)


@pytest.mark.parametrize(
    ("handle", "name"),
    [("a/b.JSON.GZ", "b"), ("x.tgz", "x"), ("a/.keras", "model"), ("https://h/", "model"), ("a\x1b.pb", "a\ufffd")],
)
def test_names_come_from_handles(handle, name):
    assert name_of(handle) == name


@pytest.mark.parametrize("text", ["1,x", "1", "", "a=", "2,3", "0,3", "1,0", "1," * 9 + "1", "1,10000000000", "1;2"])
def test_a_malformed_shape_is_refused(text):
    with pytest.raises(UsageError, match="input shape"):
        parse_input_shapes([text])


def test_input_given_twice_is_refused():
    for texts in (["a=1,2", "a=1,3"], ["1,2", "1,3"], ["1,2", "a=1,3"], ["a=1,3", "1,2"]):
        with pytest.raises(UsageError, match="name each input once"):
            parse_input_shapes(texts)


NAMES = st.text("ab=:/", min_size=1, max_size=8).map(str.strip)
SHAPES = st.lists(st.integers(1, 10**9), min_size=1, max_size=7).map(lambda sizes: (1, *sizes))


@given(st.dictionaries(NAMES, SHAPES, min_size=1, max_size=4))
def test_written_shapes_are_read_back(shapes):
    texts = [f"{name}={','.join(map(str, shape))}" for name, shape in shapes.items()]
    assert parse_input_shapes(texts) == shapes


@pytest.mark.parametrize(
    ("declared", "given", "settled"),
    [
        ([None, 224, 224, 3], {}, (1, 224, 224, 3)),
        ([1, 128], {}, (1, 128)),
        ([None, None, None, 3], {"": (1, 32, 48, 3)}, (1, 32, 48, 3)),
        ([None, None, None, 1], {IMAGE: (1, 32, 48)}, (1, 32, 48, 1)),
        ([None, 3, None, None], {IMAGE: (1, 32, 48)}, (1, 3, 32, 48)),
        ([None, None, None, None], {IMAGE: (1, 32, 48)}, (1, 32, 48, 3)),
        (None, {IMAGE: (1, 32, 48)}, (1, 32, 48, 3)),
        (None, {"x": (1, 7)}, (1, 7)),
    ],
)
def test_open_sizes_are_resolved(declared, given, settled):
    assert resolve_shapes({"x": declared}, given) == {"x": settled}


@pytest.mark.parametrize(
    ("declared", "given", "words"),
    [
        ({"x": [None, None]}, {}, "has an open shape, ?,?; give it: --input-shape x=1"),
        ({"x": None}, {}, "of unknown rank"),
        ({"x": [None, 8]}, {"y": (1, 8)}, "has no input 'y'; its inputs are x"),
        ({"x": [None, 8]}, {"x": (1, 9)}, "has the shape ?,8, not 1,9"),
        ({"x": [None, 8]}, {"": (1, 8, 8)}, "has the shape ?,8, not 1,8,8"),
        ({"x": [4, 8]}, {}, "has the shape 4,8, fixed to a batch of 4; export it with a batch that is open or 1"),
        ({"x": []}, {}, "is a single number"),
        ({"x": [None, 8]}, {IMAGE: (1, 8, 8)}, "which is not an image's"),
        ({"x": [1, 8], "y": [1, 8]}, {"": (1, 8)}, "it has 2 inputs; name each"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(declared, given, words):
    with pytest.raises(UsageError) as caught:
        resolve_shapes(declared, given)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("file", "label"),
    [
        ("net.keras", "saved Keras model"),
        ("net.H5", "saved Keras model"),
        ("NET.JSON.GZ", "Keras text, or descriptor"),
        ("net.pb", "frozen TensorFlow graph"),
        ("net.onnx", "ONNX"),
        ("net.tflite", "LiteRT"),
        ("net.tgz", "SavedModel archive"),
        ("net/saved_model.pb", "SavedModel folder"),
        ("net/config.json", "saved Keras model"),
        ("net/model.json", "descriptor"),
    ],
)
def test_kind_is_determined_from_name_or_folder(tmp_path, file, label):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.touch()
    kind = kind_of(str(path if path.parent == tmp_path else path.parent))
    assert kind is not None
    assert kind.label == label


def test_kind_of_an_address_and_of_a_name():
    assert kind_of("https://example.org/a/1").label == kind_of("net", "tensorflow_hub").label
    assert kind_of("densenet121_224") is None


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("absent.pb", "there is no such file"),
        ("net.txt", "unknown file type; expected .keras, .h5, .hdf5, .json, "),
        ("", "a SOURCE is empty"),
    ],
)
def test_unknown_model_source_is_refused(tmp_path, monkeypatch, file, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.txt").touch()
    with pytest.raises(UsageError) as caught:
        kind_of(file)
    assert words in str(caught.value)
