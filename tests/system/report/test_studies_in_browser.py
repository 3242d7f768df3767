"""A study that is added by its folder and one entry: its command, its rule, and its page in a browser."""

import difflib
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from browser import check_page, find_chromium

from perfcast.pages import write_page
from perfcast.studies.comparison.study import STUDY as COMPARISON
from perfcast.studies.factors.study import STUDY as FACTORS
from tests.conftest import ROOT
from tests.system.runs import snakemake
from tests.system.small_campaign import check_out
from tests.unit.factors.simulated import simulated

TARGETS = ("many", "one")
ENTRY = '    "perfcast.studies.toy",\n'
in_browser = pytest.mark.skipif(find_chromium() is None, reason="needs chromium or google-chrome on the PATH")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout with the toy study and two measured targets."""
    folder = check_out(ROOT, tmp_path_factory.mktemp("studies") / "checkout")
    shutil.copytree(ROOT / "tests/toy_study", folder / "perfcast/studies/toy")
    registry = folder / "perfcast/studies/registry.py"
    before = registry.read_text()
    registry.write_text(before.replace(")\n", f"{ENTRY})\n", 1))
    changed = [
        line for line in difflib.ndiff(before.splitlines(), registry.read_text().splitlines()) if line[0] in "+-"
    ]
    assert changed == [f"+ {ENTRY.rstrip()}"]
    for name, count in zip(TARGETS, (3, 1), strict=True):
        (folder / "results" / name).mkdir(parents=True)
        models = pd.DataFrame({"model": [f"<i>{number}" for number in range(count)]})
        models.to_parquet(folder / f"results/{name}/dataset.parquet")
    return folder


def configured(folder, targets):
    (folder / "studies.yaml").write_text(f"studies: {{toy: {{targets: [{', '.join(targets)}], enough: 2}}}}\n")
    return ("--configfile", "config.yaml", "studies.yaml")


def test_study_is_added_by_its_folder_and_one_entry(checkout):
    paths = [f"results/{name}" for name in TARGETS]
    command = [sys.executable, "-c", "from perfcast.cli import main; main()", "study", "toy", *paths]
    answer = subprocess.run(
        [*command, "--enough", "2", "--out", "toy.html"], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 3, answer.stderr
    assert "few models: results/one" in answer.stdout
    answer = snakemake(checkout, *configured(checkout, TARGETS), "--", "results/studies/toy.html", config=None)
    assert answer.code == 0, answer.said
    page = (checkout / "results/studies/toy.html").read_text()
    assert page == (checkout / "toy.html").read_text()
    assert "few models: results/one" in (checkout / "results/studies/toy.md").read_text()
    summary = (checkout / "results/studies/toy.txt").read_text().splitlines()
    assert summary == ["few models: results/one", "report: results/studies/toy.html"]


def test_study_of_files_waits_for_no_target(checkout):
    (checkout / "data").mkdir(exist_ok=True)
    shutil.copy(checkout / "results/many/dataset.parquet", checkout / "data/mine.parquet")
    files = ("--configfile", "config.yaml", "studies.yaml")
    (checkout / "studies.yaml").write_text("results: elsewhere\nstudies: {toy: {files: [data/mine.parquet]}}\n")
    answer = snakemake(checkout, *files, "--", "elsewhere/studies/toy.html", config=None)
    assert answer.code == 0, answer.said
    assert "| data/mine.parquet | 3 |" in (checkout / "elsewhere/studies/toy.md").read_text()
    (checkout / "studies.yaml").write_text("studies: {toy: {files: [data/other.parquet]}}\n")
    answer = snakemake(checkout, *files, "-n", "--", "results/studies/toy.html", config=None)
    assert answer.refused("studies.toy.files: data/other.parquet is missing; paths are relative to"), answer.said


def test_study_without_datasets_is_refused_in_one_line(checkout):
    arguments = (*configured(checkout, ("many", "absent")), "-n", "--", "results/studies/toy.html")
    answer = snakemake(checkout, *arguments, config=None)
    words = "studies.toy.targets: results/absent/dataset.parquet is missing; run the workflow"
    assert answer.refused(words), answer.said


@in_browser
def test_the_page_of_a_study_is_drawn_and_fits(checkout, tmp_path):
    check = check_page(checkout / "results/studies/toy.html", screenshots=tmp_path)
    assert check.faults() == []
    assert [width.plots for width in check.widths] == [1, 1]


@in_browser
@pytest.mark.parametrize("models", [3, 120])
def test_the_page_of_a_comparison_is_drawn_and_fits(models, tmp_path):
    chance = np.random.default_rng(0)
    for name, factor in (("a", 1.0), ("b", 1.2)):
        measured(chance, models, factor).to_parquet(tmp_path / f"{name}.parquet")
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    findings = COMPARISON.run(paths, COMPARISON.chosen({"metric": "ram_run_peak_mb"}))
    write_page(tmp_path / "page.html", findings.page)
    check = check_page(tmp_path / "page.html", screenshots=tmp_path)
    assert check.faults() == []
    assert [width.plots for width in check.widths] == [2, 2]


@in_browser
def test_the_page_of_test_results_is_drawn_and_fits(tmp_path):
    simulated(0)[0].to_csv(tmp_path / "tests.csv", index=False)
    findings = FACTORS.run([tmp_path / "tests.csv"], FACTORS.chosen({}))
    write_page(tmp_path / "page.html", findings.page)
    check = check_page(tmp_path / "page.html", screenshots=tmp_path)
    assert check.faults() == []
    assert check.widths[0].plots == check.widths[1].plots > 10


def measured(chance, models, factor):
    """A dataset of ``models`` and three replicates, with the first model larger by ``factor``."""
    rows = pd.DataFrame(
        {
            "model": [f"<b>model_{number}</b>" for number in range(models)],
            "batch": 1, "workload": "inference", "status": "measured", "trust": "trusted", "replicate": 0,
            "ram_run_peak_mb": np.arange(10, 10 + models) * chance.normal(1, 0.01, models),
        }
    )  # fmt: skip
    rows.loc[0, "ram_run_peak_mb"] *= factor
    return pd.concat([rows, rows.iloc[:3].assign(replicate=1)])
