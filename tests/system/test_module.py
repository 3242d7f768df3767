"""The workflow as Snakemake's users take it: as a module of another workflow, and with Snakemake's own report."""

import subprocess
import sys
import zipfile

import pandas as pd
import pytest

from tests.system.checkout import SHEET, check_out, snakemake

FOREIGN = """
module perfcast:
    snakefile: "{checkout}/Snakefile"
    config: {config}


use rule * from perfcast as perfcast_*


rule largest:
    default_target: True
    input:
        features=rules.perfcast_extract_features.output.features,
        models="results/models.csv",
    output:
        "largest.txt",
    shell:
        "wc -l {{input.models}} > {{output}}"
"""

OWN = {"target": "nothing", "shards": 1, "models": {"sheets": ["sheet.csv"]}, "fit": {"splits": 2}}


def foreign(root, folder, config):
    """A workflow of somebody else's, beside a checkout that it imports."""
    checkout = check_out(root, folder / "checkout")
    (folder / "site").mkdir()
    (folder / "site/sheet.csv").write_text(SHEET)
    (folder / "site/Snakefile").write_text(FOREIGN.format(checkout=checkout, config=config))
    return folder / "site"


@pytest.fixture(scope="module")
def site(tmp_path_factory, root):
    """A foreign workflow that ran, and all of perfcast with it."""
    folder = foreign(root, tmp_path_factory.mktemp("foreign"), OWN)
    # A mistake in the importing workflow's own files is none of perfcast's business.
    (folder / "own.yaml").write_text("anchor: &a [1]\nalias: *a\n1: 2\n")
    answer = snakemake(folder, "--configfile", "own.yaml", "--", "largest", "perfcast_all")
    assert answer.returncode == 0, answer.stderr
    return folder


def test_a_foreign_workflow_gets_what_it_asks_for(site):
    assert (site / "largest.txt").read_text() == "7 results/models.csv\n"
    assert len(pd.read_parquet(site / "results/features.parquet")) == 6
    assert len(pd.read_parquet(site / "results/nothing/dataset.parquet")) == 6
    assert (site / "results/nothing/report.html").exists()


def test_a_foreign_workflow_has_its_own_files_alone(site):
    assert {path.name for path in site.iterdir()} - {".snakemake"} == {
        "Snakefile",
        "largest.txt",
        "own.yaml",
        "results",
        "sheet.csv",
    }
    assert not (site.parent / "checkout/results").exists()


def test_what_a_foreign_workflow_leaves_open_has_the_defaults(site):
    answer = snakemake(site, "--configfile", "own.yaml", "-n", "-p", "--forceall", "--", "perfcast_all")
    assert answer.returncode == 0, answer.stderr
    assert "results/nothing/manifests/fit.json" in answer.stdout


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shard": 2}, "the config of module perfcast: unknown key shard"),
        ({"target": "absent"}, "config/targets/absent.yaml: there is no such file"),
        ({"models": {"sheets": ["none.csv"]}}, "none.csv: there is no such file"),
    ],
)
def test_a_mistake_in_a_modules_configuration_is_one_line(root, tmp_path, change, words):
    answer = snakemake(foreign(root, tmp_path, OWN | change), "-n")
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr
    (said,) = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
    assert words in said


@pytest.mark.parametrize("name", ["campaign.zip", "campaign.html"])
def test_snakemakes_own_report_holds_the_results(site, name):
    answer = snakemake(site, "--configfile", "own.yaml", "--report", name, "--", "perfcast_all")
    assert answer.returncode == 0, answer.stderr
    page = site / name
    if page.suffix == ".zip":
        with zipfile.ZipFile(page) as archive:
            names = {name.rpartition("/")[2] for name in archive.namelist()}
            assert names >= {"report.html", "summary.txt", "models.csv"}
            (inside,) = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("report.html")]
            text = archive.read(inside).decode()
    else:
        text = page.read_text()
    assert "in six lines" in text
    assert "what it was exported to" in text
    page.unlink()


def test_looking_needs_no_number_of_cores(site):
    command = [sys.executable, "-m", "snakemake", "--configfile", "own.yaml", "--summary", "--", "perfcast_all"]
    answer = subprocess.run(command, cwd=site, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "results/nothing/summary.txt" in answer.stdout
