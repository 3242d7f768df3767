"""Files that users bring, through the command."""

import gzip
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from tests.unit.test_cli import places, run, saved

pytestmark = pytest.mark.heavy


def table_of(folder, *arguments, code=0):
    out = folder / "features.csv"
    out.unlink(missing_ok=True)
    answer = run("features", *arguments, "--out", out)
    assert answer.exit_code == code, answer.output
    return pd.read_csv(out) if out.exists() else None, answer.output


@pytest.fixture
def mobile(tmp_path):
    """A real network whose input size is open, as a Keras file and as a text."""
    import keras

    model = keras.applications.MobileNet(weights=None, alpha=0.25, input_shape=(None, None, 3), include_top=False)
    model.save(tmp_path / "mobile.keras")
    (tmp_path / "mobile.json").write_text(model.to_json())
    with gzip.open(tmp_path / "packed.json.gz", "wt") as file:
        file.write(model.to_json())
    return tmp_path


def test_open_sizes_are_given(library, mobile):
    sources = [mobile / name for name in ("mobile.keras", "mobile.json", "packed.json.gz")]
    table, _ = table_of(mobile, *sources, "--input-shape", "1,64,96,3", *places(library[0]))
    disambiguate = [f"mobile_64x96 ({source})" for source in sources[:2]]
    assert list(table["model"]) == [*disambiguate, "packed_64x96"]
    numbers = table.select_dtypes("number")
    assert (numbers.nunique() == 1).all()
    assert numbers["macs"][0] > 0


def test_a_shape_that_does_not_fit_is_one_line(library, mobile):
    source = mobile / "mobile.keras"
    for shape, words in [
        ("1,64,64,4", "not 1,64,64,4"),
        ("ids=1,8", "no input 'ids'"),
        ("64", "must look like [NAME=]1,224,224,3"),
    ]:
        table, said = table_of(mobile, source, "--input-shape", shape, *places(library[0]), code=2)
        assert table is None
        assert words in said
        assert len(said.splitlines()) == 1


def test_failures_are_reported_and_the_rest_is_written(library, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    sources = (library[1][0], tmp_path / "absent.keras", library[1][1], tmp_path / "broken.json")
    table, said = table_of(tmp_path, *sources, *places(library[0]), code=1)
    assert len(table) == 2
    lines = said.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("perfcast: error: ") for line in lines)
    assert "absent.keras: there is no such file" in lines[0]
    assert "broken.json" in lines[1]


def test_mistakes_alone_exit_with_2_failures_with_1(library, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    absent = [tmp_path / "absent.keras", tmp_path / "absent.pb"]
    assert table_of(tmp_path, *absent, *places(library[0]), code=2)[0] is None
    assert table_of(tmp_path, absent[0], tmp_path / "broken.json", *places(library[0]), code=1)[0] is None


def test_code_runs_only_on_request(library, tmp_path):
    import keras

    planted = str(tmp_path / "planted")
    shown = keras.layers.Lambda(lambda x: __import__("pathlib").Path(planted).touch() or x)
    source = saved(tmp_path / "lambda.keras", (4,), shown)
    Path(planted).unlink(missing_ok=True)
    table, said = table_of(tmp_path, source, *places(library[0]), code=1)
    assert table is None
    assert "lambda.keras: layer " in said
    assert "is a Lambda, which is code; if you trust the file, let it run: --allow-code" in said
    assert not Path(planted).exists()
    table, _ = table_of(tmp_path, source, "--allow-code", *places(library[0]))
    assert list(table["model"]) == ["lambda_4"]
    assert Path(planted).exists()


def test_custom_class_is_refused_by_name(library, tmp_path):
    import keras

    @keras.saving.register_keras_serializable("mine")
    class Mine(keras.layers.Layer):
        def call(self, x):
            return x

    source = saved(tmp_path / "own.keras", (4,), Mine(name="of_mine"))
    del keras.saving.get_custom_objects()["mine>Mine"]
    _, said = table_of(tmp_path, source, *places(library[0]), code=1)
    assert "layer 'of_mine' is a Mine, a type whose output shape is not known" in said
    assert "--allow-code" not in said


def test_path_traversal_in_a_keras_file_is_refused(library, tmp_path):
    source = saved(tmp_path / "out.keras", (4,))
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr("../planted.txt", "x")
    _, said = table_of(tmp_path, source, *places(library[0]), code=1)
    assert "its member '../planted.txt' escapes it (path traversal)" in said
    assert len(said.splitlines()) == 1


def test_model_name_may_be_an_invalid_scope(library, tmp_path):
    import keras

    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Dense(3)(inputs), name="my model").save(tmp_path / "space.keras")
    table, _ = table_of(tmp_path, tmp_path / "space.keras", *places(library[0]))
    assert list(table["macs"]) == [12]


def test_channels_first_have_the_features_of_channels_last(library, tmp_path):
    import keras
    from keras import layers

    for name, shape in (("channels_last", (32, 48, 3)), ("channels_first", (3, 32, 48))):
        inputs = keras.Input(shape)
        x = layers.Conv2D(8, 3, strides=2, data_format=name)(inputs)
        x = layers.BatchNormalization(axis=1 if name == "channels_first" else -1)(x)
        x = layers.DepthwiseConv2D(3, data_format=name)(layers.ReLU()(x))
        x = layers.GlobalAveragePooling2D(data_format=name)(x)
        model = keras.Model(inputs, layers.Dense(5)(x))
        (tmp_path / f"{name}.json").write_text(model.to_json())
    table, _ = table_of(
        tmp_path, tmp_path / "channels_last.json", tmp_path / "channels_first.json", *places(library[0])
    )
    assert list(table["model"]) == ["channels_last_32x48", "channels_first_32x48"]
    assert (table.select_dtypes("number").nunique() == 1).all()


def test_unknown_json_is_one_line(library, tmp_path):
    for content in ({"model": "x"}, [], 3, {"class_name": "os.system", "config": "id"}):
        (tmp_path / "x.json").write_text(json.dumps(content))
        _, said = table_of(tmp_path, tmp_path / "x.json", *places(library[0]), code=1)
        assert len(said.splitlines()) == 1
        assert "x.json: " in said
