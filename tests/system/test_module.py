"""The workflow as Snakemake's users take it: as a module of another workflow, and with Snakemake's own report."""

import shutil
import subprocess
import sys
import zipfile

import pandas as pd
import pytest

from tests.system.runs import snakemake
from tests.system.small_campaign import DATASET, SHEET, check_out

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

OWN = {"target": "quick", "shards": 1, "models": {"sheets": ["sheet.csv"]}, "fit": {"splits": 1}}


def foreign(root, folder, config):
    """A workflow of somebody else's, beside a checkout that it imports."""
    checkout = check_out(root, folder / "checkout")
    (folder / "site").mkdir()
    (folder / "site/sheet.csv").write_text(SHEET)
    (folder / "site/Snakefile").write_text(FOREIGN.format(checkout=checkout, config=config))
    return folder / "site"


@pytest.fixture(scope="module")
def site(tmp_path_factory, root, finished):
    """A foreign workflow that ran, and all of perfcast with it; its store holds the exports already."""
    folder = tmp_path_factory.mktemp("foreign")
    store = shutil.copytree(finished.folder / "results/store", folder / "store")
    folder = foreign(root, folder, OWN | {"store": str(store)})
    # A mistake in the importing workflow's own files is none of perfcast's business.
    (folder / "config.yaml").write_text("anchor: &a [1]\nalias: *a\n1: 2\n")
    answer = snakemake(folder, "--", "largest", DATASET)
    assert answer.code == 0, answer.said
    return folder


def test_importing_workflow_gets_only_what_it_requests(site):
    models = SHEET.count("\n")
    assert (site / "largest.txt").read_text() == f"{models} results/models.csv\n"
    assert len(pd.read_parquet(site / "results/features.parquet")) == models - 1
    assert set(pd.read_parquet(site / DATASET)["status"]) == {"measured"}
    made = {path.name for path in site.iterdir()} - {".snakemake"}
    assert made == {"Snakefile", "largest.txt", "config.yaml", "results", "sheet.csv"}
    assert not (site.parent / "checkout/results").exists()


def test_importing_workflow_gets_default_options(site):
    answer = snakemake(site, "-n", "-p", "--forceall", "--", "perfcast_all")
    assert answer.code == 0, answer.said
    assert "results/quick/manifests/fit.json" in answer.said


def test_mistake_in_a_modules_configuration_is_one_line(root, tmp_path):
    folder = foreign(root, tmp_path, OWN | {"shard": 2})
    answer = snakemake(folder, "-n", config=None)
    assert answer.refused("the config of module perfcast: unknown key shard"), answer.said


def test_snakemake_report_contains_the_results(campaign):
    answer = campaign.run("--report", "campaign.zip")
    assert answer.code == 0, answer.said
    with zipfile.ZipFile(campaign.folder / "campaign.zip") as archive:
        names = {name.rpartition("/")[2] for name in archive.namelist()}
        assert names >= {"report.html", "summary.txt", "models.csv"}
        (page,) = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("report.html")]
        text = archive.read(page).decode()
    assert "in six lines" in text
    assert "how each is built" in text


def test_summary_needs_no_cores_option(campaign):
    command = [sys.executable, "-m", "snakemake", "--snakefile", campaign.tree / "Snakefile", "--summary"]
    command += ["--directory", campaign.folder, "--configfile", campaign.folder / "config.yaml"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "results/quick/summary.txt" in answer.stdout
