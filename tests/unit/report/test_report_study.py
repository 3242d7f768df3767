"""`perfcast study prediction`: a target's report from the files of its results."""

import pytest
from click.testing import CliRunner

from perfcast.bench.record import MeasurementStore
from perfcast.cli import main
from perfcast.fit.evaluation import write_evaluation
from perfcast.storage import write_json


@pytest.fixture
def results(campaign, tmp_path):
    """A folder of results with an evaluation and a predictor, beside the store."""
    digest = MeasurementStore(tmp_path / "store").put_environment(campaign.environments["c" * 64])
    folder = tmp_path / "jetson_nano"
    folder.mkdir()
    campaign.dataset.assign(environment=digest).to_parquet(folder / "dataset.parquet")
    write_evaluation(campaign.evaluation, folder / "evaluation")
    write_json(folder / "predictor" / "manifest.json", campaign.manifest)
    return folder


def run(*arguments):
    answer = CliRunner().invoke(main, ["study", "prediction", *map(str, arguments)])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer


def test_a_folder_of_results_gives_its_report(results):
    page = results / "report.html"
    answer = run(results, "--out", page)
    assert answer.exit_code == 0, answer.output
    lines = answer.output.splitlines()
    assert lines[0] == "40 models measured in 8 families, 3 failed, 6 measured again"
    assert lines[-1] == f"predictor: {results / 'predictor'}"
    text = page.read_text()
    assert "<h1><bdi>jetson_nano: measured and predicted</bdi></h1>" in text
    assert "5.10.104-tegra" in text


def test_environments_that_the_store_lacks_are_named(results):
    page = results / "report.html"
    assert run(results / "dataset.parquet", "--store", results, "--out", page).exit_code == 0
    assert "of 49 measurements is missing from the store" in page.read_text()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "evaluation" / "summary.json").write_text("{"), "summary.json: cannot be read"),
        (lambda folder: (folder / "evaluation" / "splits.parquet").write_text("x"), "its evaluation cannot be read"),
        (lambda folder: (folder / "predictor" / "manifest.json").unlink(), "manifest.json: cannot be read"),
        (lambda folder: (folder / "problems.csv").write_bytes(b"\xff\x00,\n"), "problems.csv: cannot be read"),
        (lambda folder: (folder / "dataset.parquet").write_text("x"), "not a dataset"),
    ],
)
def test_damaged_results_are_one_line(results, damage, words):
    damage(results)
    answer = run(results)
    assert answer.exit_code in {1, 2}
    assert words in answer.output
    assert len(answer.output.splitlines()) == 1
