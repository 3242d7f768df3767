"""A sweep's configuration: the document's INI file, the same in YAML, and what is refused."""

import string
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from perfcast.errors import UsageError
from perfcast.sweeps.config import INI_NAMES, read_config
from perfcast.sweeps.config import parse_ini as parse
from tests.measured import FOLDER, needs

DOCUMENT = """[CONFIGURATION]
Training_Iterations = 10
Batch_Size = 1 4 16 64
Tot_Layers = 4 6 8 10
Filter_Size = 3 5 8
Learning_Rate = 0.001
Dropout = 0.75
Evaluation_Iterations = 10
"""
PUBLISHED_INI = FOLDER / "complexity_scaling/config.ini"
NAMES = {option: name for name, option in INI_NAMES.items()}


def anonymous(config):
    return replace(config, origin="", names={})


def test_the_documents_file_is_read_as_it_stands():
    config = parse(DOCUMENT, "config.ini")
    assert (config.layers, config.filter_size, config.batch) == ((4, 6, 8, 10), (3, 5, 8), (1, 4, 16, 64))
    assert (config.epochs, config.learning_rate, config.dropout) == (10, 0.001, 0.75)
    assert (config.evaluation_iterations, config.evaluation_inputs) == (10, 2000)
    assert config.inference_batch is None


@needs(PUBLISHED_INI)
def test_the_published_file_is_the_documents():
    assert anonymous(read_config(PUBLISHED_INI)) == anonymous(parse(DOCUMENT, "config.ini"))


def test_yaml_says_the_same(root):
    assert anonymous(read_config(root / "config/sweeps/published.yaml")) == anonymous(parse(DOCUMENT, "config.ini"))


def test_files_that_come_with_perfcast_are_valid(root):
    for path in (root / "config/sweeps").iterdir():
        read_config(path)


counts = st.lists(st.integers(1, 60), min_size=1, max_size=4, unique=True)
settings = st.fixed_dictionaries(
    {},
    optional={
        "layers": st.lists(st.sampled_from(range(4, 40, 2)), min_size=1, max_size=4, unique=True),
        "filter_size": counts,
        "batch": counts,
        "inference_batch": counts,
        "filters": counts,
        "channels": counts,
        "epochs": st.integers(1, 100),
        "learning_rate": st.floats(1e-6, 1.0),
        "dropout": st.floats(0, 0.99),
        "evaluation_iterations": st.integers(1, 100),
        "evaluation_inputs": st.integers(100, 100_000),
        "family": st.sampled_from(["text", "fashion_mnist"]),
        "seed": st.integers(0, 99_999),
    },
)


def as_ini(values, separator):
    lines = [
        f"{NAMES.get(key, key)} = {separator.join(map(str, value)) if isinstance(value, list) else value}"
        for key, value in values.items()
    ]
    return "\n".join(["[CONFIGURATION]", *lines])


@given(settings, st.sampled_from([" ", ", ", "  ", "\t"]))
def test_ini_and_yaml_agree(tmp_path_factory, values, separator):
    path = tmp_path_factory.mktemp("config") / "sweep.yaml"
    path.write_text(yaml.safe_dump(values))
    written = parse(as_ini(values, separator), "f.ini")
    assert anonymous(read_config(path)) == anonymous(written)
    for key, value in values.items():
        assert getattr(written, key) == (tuple(value) if isinstance(value, list) else value)


@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(
            st.tuples(
                st.sampled_from([*NAMES.values(), "filters", "family", "foo", "[CONFIGURATION]"]),
                st.text(string.digits + " ,.-+=;#\n\tabc[]%", max_size=20),
            )
        ).map(lambda lines: "[CONFIGURATION]\n" + "\n".join(f"{key} = {value}" for key, value in lines)),
    )
)
def test_any_text_is_read_or_refused_in_one_line(text):
    message = refusal(text)
    if message is None:
        assert all(layers % 2 == 0 for layers in parse(text, "f.ini").layers)
    else:
        assert message.startswith("f.ini: ")
        assert len(message.splitlines()) == 1


def refusal(text):
    """Return why a text is refused, None where it is read."""
    try:
        parse(text, "f.ini")
    except UsageError as error:
        return str(error)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("Tot_Layers = 4 5", "tot_layers.1: 5 is not a multiple of 2; take even numbers from 4 to 200"),
        ("Filter_Size = 0", "filter_size.0: 0 is less than the minimum of 1"),
        ("Batch_Size = 1 1", "batch_size: [1, 1] has non-unique elements"),
        ("Batch_Size = 5000", "batch_size: must be at most evaluation_inputs, 2000"),
        ("Inference_Batch = 5000", "inference_batch: must be at most evaluation_inputs, 2000"),
        ("Batch_Size = 1 x.y!", "batch_size: value 'x.y!' must be a number"),
        ("Batch_Size =", "batch_size: has no value"),
        ("Dropout = 1", "dropout: 1 is greater than or equal to the maximum of 1"),
        ("Dropout = 0.1 0.2", "dropout: 2 values, but dropout takes one"),
        ("Learning_Rate = nan", "learning_rate: value 'nan' must be a number"),
        ("Learning_Rate = 0", "learning_rate: 0 is less than or equal to the minimum of 0"),
        ("Training_Iterations = 1.5", "training_iterations: 1.5 is not of type 'integer'"),
        ("Epochs = 1\nTraining_Iterations = 2", "training_iterations: means the same as epochs; remove one"),
        ("Epoch = 1", "unknown key epoch; known are training_iterations"),
        ("Input_Size = 32", "input_size: means pixels or positions: name one family, too"),
        ("Family = image", "family: 'image' is not one of"),
        ("[MORE]\na = 1", "must have one section, [CONFIGURATION], not [CONFIGURATION], [MORE]"),
        ("Filters = " + " ".join(map(str, range(1, 1000))), "layers: there are 47,952 combinations"),
    ],
)
def test_a_mistake_names_file_and_key(lines, message):
    with pytest.raises(UsageError) as caught:
        parse(f"[CONFIGURATION]\n{lines}\n", "my.ini")
    assert str(caught.value).startswith(f"my.ini: {message}")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "must end in .ini or .yaml"),
        ("a.ini", b"\xff\xfe", "is not UTF-8 text"),
        ("a.yaml", b"layers: 4\n", "layers: 4 is not of type 'array'"),
        ("a.yaml", b"layer: [4]\n", "unknown key layer"),
        (
            "a.yaml",
            b"input_size: 4\nfamily: text\n",
            "input_size: 4 is not of type 'array', 'null'",
        ),
    ],
)
def test_a_wrong_file_is_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
