"""The command, as a user meets it: in a process of its own."""

import errno
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from perfcast.cli import main
from tests.unit.test_campaign import SPECS

pytestmark = pytest.mark.heavy

COMMAND = [sys.executable, "-c", "from perfcast.cli import main; main(prog_name='perfcast')"]


def run(*arguments):
    answer = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer


def places(folder):
    return ("--sheet", folder / "sheet.csv", "--store", folder / "store")


def test_features_have_one_row_per_source_in_order(library, tmp_path):
    folder, (first, second) = library
    sources = (second / "model.json", first, "basic_model_1_3_4_2_48", second)
    for ending, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        out = tmp_path / f"features.{ending}"
        answer = run("features", *sources, *places(folder), "--out", out)
        assert answer.exit_code == 0, answer.output
        table = read(out)
        names = [SPECS[1].model, SPECS[0].model, "basic_model_1_3_4_2_48", SPECS[1].model]
        assert list(table.columns[:1]) == ["model"]
        assert list(table["model"]) == names
        assert (table["flops"] > 0).all()


def test_keras_file_has_the_features_of_its_sheet_model(library, tmp_path):
    from perfcast.models.build import build_model

    build_model(SPECS[1]).save(tmp_path / "mine.keras")
    out = tmp_path / "features.csv"
    answer = run("features", tmp_path / "mine.keras", library[1][1], *places(library[0]), "--out", out)
    assert answer.exit_code == 0, answer.output
    table = pd.read_csv(out)
    assert list(table["model"]) == ["mine_32", SPECS[1].model]
    numbers = table.select_dtypes("number")
    pd.testing.assert_series_equal(numbers.iloc[0], numbers.iloc[1], check_names=False)


def test_code_in_a_keras_file_is_not_run(library, tmp_path):
    import keras

    planted = str(tmp_path / "planted")
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Lambda(lambda x: __import__("pathlib").Path(planted).touch() or x)]
    )
    model.save(tmp_path / "lambda.keras")
    Path(planted).unlink()
    answer = run("features", tmp_path / "lambda.keras", *places(library[0]), "--out", tmp_path / "x.csv")
    assert answer.exit_code == 1
    assert "lambda.keras" in answer.output
    assert not Path(planted).exists()
    assert not (tmp_path / "x.csv").exists()


def saved(path, shape, *layers, dtype="float32"):
    """Save a network of layers one after the other as a Keras file."""
    import keras

    inputs = tensor = keras.Input(shape, dtype=dtype)
    for layer in layers or (keras.layers.Identity(),):
        tensor = layer(tensor)
    keras.Model(inputs, tensor).save(path)
    return path


def test_networks_of_one_axis_have_features(library, tmp_path):
    from keras import layers

    sources = (
        saved(tmp_path / "dense.keras", (10,), layers.Dense(3)),
        saved(tmp_path / "words.keras", (12,), layers.Embedding(20, 4), layers.Flatten(), dtype="int32"),
    )
    out = tmp_path / "features.csv"
    answer = run("features", *sources, *places(library[0]), "--out", out)
    assert answer.exit_code == 0, answer.output
    table = pd.read_csv(out)
    assert list(table["model"]) == ["dense_10", "words_12"]
    assert list(table["input_size"]) == [10, 12]
    assert list(table["macs"]) == [30, 0]
    assert list(table["parameters"]) == [33, 80]


def test_a_keras_file_with_an_unwritable_name_has_features(library, tmp_path):
    source = saved(tmp_path / "a\x1b.keras", (10,)).rename(tmp_path / "a\x1b\udcff.keras")
    out = tmp_path / "features.csv"
    answer = run("features", source, *places(library[0]), "--out", out)
    assert answer.exit_code == 0, answer.output
    assert list(pd.read_csv(out)["model"]) == ["a\ufffd\ufffd_10"]


def hostile(tmp_path):
    """Sources that are the user's mistake or an attack, by what the one line must say."""
    (tmp_path / "empty.json").touch()
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "nothing.json").write_text("{}")
    (tmp_path / "empty.keras").touch()
    (tmp_path / "text.txt").write_text("x")
    (tmp_path / "folder.keras").mkdir()
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "loop.json").symlink_to("loop.json")
    (tmp_path / "deep.json").write_text("[" * 3000 + "]" * 3000)
    (tmp_path / "corrupt.keras").write_bytes(b"PK\x03\x04" + bytes(50))
    saved(tmp_path / "scalar.keras", ())
    saved(tmp_path / "open.keras", (None, 3))
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "os.system", "config": "id"}))
    return {
        "empty.json": 1,
        "list.json": 1,
        "nothing.json": 1,
        "empty.keras": 1,
        "zip.keras": 1,
        "corrupt.keras": 1,
        "folder.keras": 1,
        "scalar.keras": 1,
        "open.keras": 2,
        "deep.json": 1,
        "folder.json": 1,
        "loop.json": 2,
        "text.txt": 2,
        "absent.json": 2,
        "absent.keras": 2,
        "absent.onnx": 2,
        "no_such_model_224": 2,
        "no_such_" + "x" * 300: 2,
        "x" * 300 + ".json": 2,
        "x" * 300 + ".keras": 2,
    }


def said_of(name):
    """What the one line has to hold of a source's name."""
    return name if len(name) < 100 else "name too long"


def test_a_bad_source_is_one_line_that_names_it(library, tmp_path):
    for name, code in hostile(tmp_path).items():
        source = name if name.startswith("no_such") else tmp_path / name
        answer = run("features", source, *places(library[0]), "--out", tmp_path / "x.csv")
        assert answer.exit_code == code, (name, answer.output)
        lines = [line for line in answer.output.splitlines() if line]
        assert len(lines) == 1, (name, answer.output)
        assert lines[0].startswith("perfcast: error: ")
        assert said_of(name) in lines[0]
        assert "not found" not in lines[0]
        assert not (tmp_path / "x.csv").exists()


def test_native_libraries_add_nothing_to_the_one_line(library, tmp_path):
    folder = library[0]
    names = hostile(tmp_path)
    # Most are like another one of these; each process takes seconds.
    started_with_tensorflow = ("zip.keras", "open.keras", "scalar.keras", "corrupt.keras")
    too_narrow = tmp_path / "narrow.csv"
    too_narrow.write_text("source,builder,input_size,parameters\nkeras_applications,MobileNet,32,alpha=0.001\n")
    sources = [(tmp_path / name, folder / "sheet.csv") for name in (*started_with_tensorflow, "deep.json")]
    for source, sheet in [*sources, ("mobilenet_alpha0.001_32", too_narrow)]:
        command = ["features", source, "--sheet", sheet, "--store", folder / "store", "--out", tmp_path / "x.csv"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
        answer = subprocess.run(
            COMMAND + list(map(str, command)), capture_output=True, text=True, check=False, env=environment
        )
        assert answer.returncode == names.get(Path(source).name, 1)
        assert answer.stdout == ""
        assert len(answer.stderr.splitlines()) == 1, answer.stderr
        assert answer.stderr.startswith("perfcast: error: ")


@pytest.mark.parametrize("name", ["model.json", "net.keras", "artifact"])
def test_a_source_in_an_unreadable_folder_is_one_line(library, tmp_path, monkeypatch, name):
    locked, true_stat = tmp_path / "locked", Path.stat

    # Permissions do not hold for root, whom tests may run as.
    def refuse(path, **options):
        if locked in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return true_stat(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    answer = run("features", locked / name, *places(library[0]), "--out", tmp_path / "x.csv")
    assert answer.exit_code == 2
    assert answer.output == f"perfcast: error: {locked / name}: cannot be read (Permission denied)\n"


def test_a_store_that_cannot_be_read_is_one_line(library, tmp_path):
    store = "s" * 300
    sheet = library[0] / "sheet.csv"
    source = "basic_model_1_3_4_2_48"
    answer = run("features", source, "--sheet", sheet, "--store", store, "--out", tmp_path / "x.csv")
    assert answer.exit_code == 2
    assert len(answer.output.splitlines()) == 1
    assert "name too long" in answer.output


def test_errors_have_no_control_sequences(library, tmp_path):
    answer = run("features", tmp_path / "a\x1b[2J\n\u202e.json", *places(library[0]), "--out", tmp_path / "x.csv")
    assert answer.exit_code == 2
    assert "a\ufffd[2J\ufffd\ufffd.json: there is no such file" in answer.output
    assert len(answer.output.splitlines()) == 1


def predictor_of(name, interval, coverage):
    """A predictor with one prediction, a latency, of a model of this name."""
    row = {"model": name, "metric": "latency", "unit": "ms", "prediction": 2.0, "lower": 1.0, "upper": 3.0}
    predictions = pd.DataFrame([row | {"in_domain": True}])
    return SimpleNamespace(
        interval=interval,
        coverage={"latency": coverage},
        predict=lambda _, factors: predictions,
        never_varied=lambda _: [],
        calibrations_ms={},
    )


@pytest.mark.parametrize(("interval", "heading"), [(0.9, "90% interval"), (0.95, "95% interval")])
def test_predictions_show_interval_level_and_escape_names(library, tmp_path, monkeypatch, interval, heading):
    hidden = "net\x1b]0;owned\x07\x00\u202e\x9b_8"
    monkeypatch.setattr("perfcast.fit.persistence.folder.load_predictor", lambda _: predictor_of(hidden, interval, 0.9))
    answer = run("predict", library[1][0], *places(library[0]), "--predictor", tmp_path)
    assert answer.exit_code == 0, answer.output
    assert heading in answer.output
    assert "net\ufffd]0;owned\ufffd\ufffd\ufffd\ufffd_8" in answer.output
    assert all(character.isprintable() or character == "\n" for character in answer.output)


@pytest.mark.parametrize(("coverage", "said"), [(0.81, True), (0.88, False), (0.95, False)])
def test_low_interval_coverage_is_reported(library, tmp_path, monkeypatch, coverage, said):
    monkeypatch.setattr(
        "perfcast.fit.persistence.folder.load_predictor", lambda _: predictor_of("net_8", 0.9, coverage)
    )
    answer = run("predict", library[1][0], *places(library[0]), "--predictor", tmp_path)
    assert ("latency: on held-out families, the intervals held 81% of the time" in answer.output) is said


def test_help_names_no_interval_level():
    text = run("predict", "--help").output
    assert "with prediction intervals" in text
    assert "90%" not in text


@pytest.mark.parametrize(
    ("out", "words"), [("x.xlsx", "ending"), ("no/folder/x.csv", "no folder"), ("x" * 300 + "/x.csv", "name too long")]
)
def test_invalid_out_is_reported_before_any_work(library, tmp_path, out, words):
    answer = run("features", "absent.json", *places(library[0]), "--out", tmp_path / out)
    assert answer.exit_code == 2
    assert words in answer.output


def test_missing_predictor_is_one_line(library, tmp_path):
    answer = run("predict", library[1][0], *places(library[0]), "--predictor", tmp_path / "none")
    assert answer.exit_code != 0
    assert len(answer.output.strip().splitlines()) == 1
    assert "none" in answer.output


NO_TENSORFLOW = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras"):
            raise ImportError(f"{name} was imported")
sys.meta_path.insert(0, Refuse())
sys.argv = ["perfcast", *sys.argv[1:]]
from perfcast.cli import main
main()
"""


@pytest.mark.parametrize("command", [["--help"], ["predict", "--help"], ["features", "--help"], ["--version"]])
def test_help_does_not_import_tensorflow(command):
    answer = subprocess.run(
        [sys.executable, "-c", NO_TENSORFLOW, *command], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr


def test_features_of_a_descriptor_do_not_import_tensorflow(library, tmp_path):
    folder, (first, _) = library
    command = ["features", str(first / "model.json"), "--out", str(tmp_path / "x.csv"), "--store", str(folder)]
    answer = subprocess.run(
        [sys.executable, "-c", NO_TENSORFLOW, *command], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert np.isfinite(pd.read_csv(tmp_path / "x.csv")["flops"]).all()
