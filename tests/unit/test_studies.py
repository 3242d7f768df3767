"""Studies on the command line and in the configuration, with one that only the tests have."""

import pandas as pd
import pytest
from click.testing import CliRunner

from perfcast.cli import main
from perfcast.errors import UsageError
from perfcast.studies import registry

TOY = "tests.toy_study"


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.setattr(registry, "STUDIES", (*registry.STUDIES, TOY))


@pytest.fixture
def folders(tmp_path):
    for name, models in (("many", ["a", "b", "b"]), ("one", ["<b>a"])):
        (tmp_path / name).mkdir()
        pd.DataFrame({"model": models}).to_parquet(tmp_path / name / "dataset.parquet")
    return tmp_path


def run(*arguments):
    answer = CliRunner().invoke(main, ["study", *map(str, arguments)])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer


def test_every_study_is_listed_with_its_summary():
    answer = run("--help")
    assert answer.exit_code == 0
    text = " ".join(answer.output.split())
    for name in registry.study_packages():
        assert f"{name} {registry.find_study(name).summary}" in text


def test_a_registered_study_has_a_command_with_its_options(folders):
    page = folders / "page.html"
    answer = run("toy_study", folders / "many", folders / "one", "--enough", 2, "--out", page)
    assert answer.exit_code == 3
    assert f"few models: {folders / 'one'}" in answer.output
    assert '<h2 id="models-title">Models</h2>' in page.read_text()
    quiet = run("toy_study", folders / "many", "--loud")
    assert quiet.exit_code == 0
    assert "few models: \n" in quiet.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "No such command 'nothing'"),
        (["toy_study"], "Missing argument 'DATASET...'"),
        (["toy_study", ".", "--enough", "0"], "0 is not in the range x>=1"),
        (["toy_study", ".", "--out", "x.csv"], "--out x.csv"),
        (["comparison", "a"], "Missing argument 'B'"),
        (["prediction", "/nowhere"], "/nowhere: there is no such file; name a dataset.parquet"),
        (["prediction", "a", "b"], "unexpected extra argument"),
    ],
)
def test_wrong_command_line_exits_with_2(arguments, words):
    answer = run(*arguments)
    assert answer.exit_code == 2
    assert words in answer.output


@pytest.mark.parametrize(
    ("studies", "words"),
    [
        (
            {"unheard_of": {"targets": ["a"]}},
            "studies.unheard_of: unknown study; known are comparison, factors, prediction, scaling, training, "
            "toy_study",
        ),
        ({"comparison": {}}, "studies.comparison: name either targets or files: A, B"),
        (
            {"comparison": {"targets": ["a", "b"], "files": ["a", "b"]}},
            "studies.comparison: name either targets or files: A, B",
        ),
        ({"comparison": {"files": ["a"]}}, "studies.comparison.files: ['a'] is too short; name A, B"),
        ({"comparison": {"targets": ["a"]}}, "studies.comparison.targets: ['a'] is too short; name A, B"),
        ({"prediction": {"targets": ["a", "b"]}}, "studies.prediction.targets: ['a', 'b'] is too long"),
        ({"comparison": {"targets": ["a", "b"], "alpha": 0}}, "studies.comparison.alpha: 0 is less than or equal"),
        ({"comparison": {"targets": ["a", "b"], "alpha": "0.1"}}, "studies.comparison.alpha: '0.1' is not of type"),
        (
            {"toy_study": {"targets": ["a"], "enouh": 1}},
            "studies.toy_study: unknown key enouh; known are enough, files, loud",
        ),
    ],
)
def test_a_wrong_study_in_the_configuration_is_named(studies, words):
    with pytest.raises(UsageError) as error:
        registry.check_studies(studies, "my.yaml")
    assert str(error.value).startswith(f"my.yaml: {words}")


def test_studies_of_the_configuration_are_accepted():
    registry.check_studies(
        {"comparison": {"targets": ["a", "b"], "threshold": 0.1}, "toy_study": {"files": ["a/b.csv"] * 3}}, "my.yaml"
    )


def test_a_study_is_written_as_markdown(folders):
    file = folders / "summary.md"
    assert run("toy_study", folders / "many", folders / "one", "--enough", 2, "--out", file).exit_code == 3
    assert file.read_text().startswith("# How many\n\n## Models\n\nfew models: ")
    assert "| Dataset | Models |\n| --- | ---: |\n" in file.read_text()


def test_without_a_browser_everything_but_images_is_written(folders, monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", "/nowhere")
    page = folders / "page.html"
    answer = run("toy_study", folders / "many", "--loud", "--out", page, "--figures", folders / "figures")
    assert answer.exit_code == 2
    (line,) = [line for line in answer.output.splitlines() if "error" in line]
    assert "none was found: install one, such as with `apt install chromium`" in line
    assert "few models: " in answer.output
    assert page.exists()
    assert not (folders / "figures").exists()


def test_help_says_what_the_inputs_are():
    text = " ".join(run("toy_study", "--help").output.split())
    assert "DATASET...: the folder of a target's results or a file dataset.parquet." in text
