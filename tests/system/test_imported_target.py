"""A table measured elsewhere as a target: the real Snakefile, from rows to a report."""

import json

import pandas as pd
import pytest
import yaml

from tests.system.small_campaign import SmallCampaign
from tests.unit.test_cli_tables import MAPPING, rows

TARGET = {"description": "a table of a test", "tables": ["table.csv"], "mapping": "mapping.yaml"}
RULES = ["all", "fit_predictor", "import_tables", "render_report"]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory, root):
    folder = tmp_path_factory.mktemp("imported")
    (folder / "config/targets").mkdir(parents=True)
    table = rows()
    table.loc[4, "ms"] = 0
    table.assign(name=table["name"] + "<b>").to_csv(folder / "table.csv", index=False)
    (folder / "mapping.yaml").write_text(yaml.safe_dump(MAPPING))
    (folder / "config/targets/elsewhere.yaml").write_text(yaml.safe_dump(TARGET))
    (folder / "config.yaml").write_text("target: elsewhere\nfit: {splits: 2, algorithms: [poly]}\n")
    return SmallCampaign(folder, root)


@pytest.fixture(scope="module")
def results(campaign):
    answer = campaign.run()
    assert answer.code == 0, answer.said
    assert answer.jobs == RULES
    return campaign.folder / "results/elsewhere"


def test_table_gives_a_dataset_a_predictor_and_a_report(results):
    dataset = pd.read_parquet(results / "dataset.parquet")
    assert set(dataset["target"]) == {"elsewhere"}
    assert dataset["latency_ms"].isna().sum() == 1
    problems = pd.read_csv(results / "problems.csv")
    assert problems[["row", "column", "problem"]].to_numpy().tolist() == [[6, "ms", "is zero"]]
    manifest = json.loads((results / "predictor/manifest.json").read_text())
    assert manifest["target"] == "elsewhere"
    splits = pd.read_parquet(results / "evaluation/splits.parquet")
    assert set(splits["algorithm"]) == {"poly"}
    page = (results / "report.html").read_text()
    for words in ("24 rows in 4 families, 1 problem found in them", "Held-out families, within the domain", "is zero"):
        assert words in page
    assert "anet0&lt;b&gt;" in page or "anet0<b>" not in page
    summary = (results / "summary.txt").read_text().splitlines()
    assert summary[0] == "24 rows in 4 families, 1 problem found in them"
    assert summary[1].startswith("latency: ")


def test_nothing_reruns_until_the_table_changes(campaign, results):
    assert campaign.run("-n").jobs == []
    table = (campaign.folder / "table.csv").read_text()
    (campaign.folder / "table.csv").write_text(table.replace("0.0", "3.5"))
    assert campaign.run("-n").jobs == RULES
    (campaign.folder / "table.csv").write_text(table)


def test_target_of_tables_measures_nothing(campaign):
    from click.testing import CliRunner

    from perfcast.cli import main

    (campaign.folder / "where.yaml").write_text(f"targets: {campaign.folder}/config/targets\n")
    command = ["plan", "--target", "elsewhere", "--configfile", str(campaign.folder / "where.yaml")]
    answer = CliRunner().invoke(main, command)
    assert answer.exit_code == 2
    assert "measured elsewhere" in answer.output
