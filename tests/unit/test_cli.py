"""The command, as a user meets it: in a process of its own."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from perfcast.cli import main
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import export_models
from tests.unit.test_campaign import SPECS


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A folder with a store of two models and a sheet that lists them and one more."""
    folder = tmp_path_factory.mktemp("library")
    exports = export_models(SPECS, ArtifactStore(folder / "store"))
    (folder / "sheet.csv").write_text(
        "source,builder,input_size,parameters\n"
        "synthetic,basic_model,32,conv_layers=1;filter_size=3;filters=8;strides=2\n"
        "synthetic,basic_model,48,conv_layers=1;filter_size=3;filters=4;strides=2\n"
    )
    return folder, [ArtifactStore(folder / "store").location(export.artifact) for export in exports]


def run(*arguments):
    answer = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer


def places(folder):
    return ("--sheet", folder / "sheet.csv", "--store", folder / "store")


def test_features_has_a_row_a_source_in_order(library, tmp_path):
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


def test_a_keras_file_has_the_features_of_the_same_network_in_a_sheet(library, tmp_path):
    from perfcast.catalog.build import build_model

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


def hostile(tmp_path):
    """Sources that are the user's mistake or an attack, by what the one line has to say."""
    (tmp_path / "empty.json").touch()
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "nothing.json").write_text("{}")
    (tmp_path / "empty.keras").touch()
    (tmp_path / "text.txt").write_text("x")
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "os.system", "config": "id"}))
    return {
        "empty.json": 1,
        "list.json": 1,
        "nothing.json": 1,
        "empty.keras": 1,
        "zip.keras": 1,
        "text.txt": 2,
        "absent.json": 2,
        "absent.keras": 2,
        "absent.onnx": 2,
        "no_such_model_224": 2,
    }


def test_a_bad_source_is_one_line_that_names_it(library, tmp_path):
    for name, code in hostile(tmp_path).items():
        source = name if name.startswith("no_such") else tmp_path / name
        answer = run("features", source, *places(library[0]), "--out", tmp_path / "x.csv")
        assert answer.exit_code == code, (name, answer.output)
        lines = [line for line in answer.output.splitlines() if line]
        assert len(lines) == 1, (name, answer.output)
        assert lines[0].startswith("perfcast: error: ")
        assert name in lines[0]
        assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize(("out", "words"), [("x.xlsx", "ending"), ("no/folder/x.csv", "no folder")])
def test_a_bad_out_is_said_before_anything_is_done(library, tmp_path, out, words):
    answer = run("features", "absent.json", *places(library[0]), "--out", tmp_path / out)
    assert answer.exit_code == 2
    assert words in answer.output


def test_a_predictor_that_is_not_there_is_one_line(library, tmp_path):
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
    command = [
        "features",
        str(first / "model.json"),
        "--out",
        str(tmp_path / "x.csv"),
        "--store",
        str(folder),
    ]
    answer = subprocess.run(
        [sys.executable, "-c", NO_TENSORFLOW, *command], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert np.isfinite(pd.read_csv(tmp_path / "x.csv")["flops"]).all()
