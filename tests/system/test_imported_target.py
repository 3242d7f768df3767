"""A table measured elsewhere as a target: the real Snakefile, from rows to a report."""

import json
import re

import pandas as pd
import pytest
import yaml

from tests.system.checkout import check_out, snakemake
from tests.unit.test_cli_tables import MAPPING, rows

TARGET = {"description": "a table of a test", "tables": ["table.csv"], "mapping": "mapping.yaml"}
RULES = {"import_tables", "fit_predictor", "render_report", "all"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, root):
    folder = check_out(root, tmp_path_factory.mktemp("imported") / "checkout")
    table = rows()
    table.loc[4, "ms"] = 0
    table.assign(name=table["name"] + "<b>").to_csv(folder / "table.csv", index=False)
    (folder / "mapping.yaml").write_text(yaml.safe_dump(MAPPING))
    (folder / "config/targets/elsewhere.yaml").write_text(yaml.safe_dump(TARGET))
    (folder / "splits.yaml").write_text("fit: {splits: 2}\n")
    return folder


def run(folder, *arguments):
    return snakemake(folder, "--configfile", "splits.yaml", "--config", "target=elsewhere", *arguments)


def jobs(answer):
    return set(re.findall(r"^(?:local)?rule (\w+):", answer.stdout + answer.stderr, re.MULTILINE))


@pytest.fixture(scope="module")
def results(checkout):
    answer = run(checkout)
    assert answer.returncode == 0, answer.stderr
    assert jobs(answer) == RULES
    return checkout / "results/elsewhere"


def test_a_table_gets_a_dataset_a_predictor_and_a_report(results):
    dataset = pd.read_parquet(results / "dataset.parquet")
    assert set(dataset["target"]) == {"elsewhere"}
    assert dataset["latency_ms"].isna().sum() == 1
    problems = pd.read_csv(results / "problems.csv")
    assert problems[["row", "column", "problem"]].to_numpy().tolist() == [[6, "ms", "is zero"]]
    manifest = json.loads((results / "predictor/manifest.json").read_text())
    assert manifest["target"] == "elsewhere"
    splits = pd.read_parquet(results / "evaluation/splits.parquet")
    assert set(splits["algorithm"]) == {"poly", "svr", "mlp", "forest", "xgboost"}
    page = (results / "report.html").read_text()
    for words in ("24 rows in 4 families, 1 problem found in them", "Held-out families, within the domain", "is zero"):
        assert words in page
    assert "anet0&lt;b&gt;" in page or "anet0<b>" not in page
    summary = (results / "summary.txt").read_text().splitlines()
    assert summary[0] == "24 rows in 4 families, 1 problem found in them"
    assert summary[1].startswith("latency: ")


def test_nothing_is_done_again_until_the_table_changes(checkout, results):
    assert jobs(run(checkout, "-n")) == set()
    table = (checkout / "table.csv").read_text()
    (checkout / "table.csv").write_text(table.replace("0.0", "3.5"))
    assert jobs(run(checkout, "-n")) == RULES
    (checkout / "table.csv").write_text(table)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mapping": "gone.yaml"}, "gone.yaml: there is no such file"),
        ({"tables": ["gone.csv"]}, "gone.csv: there is no such file"),
        ({"tables": []}, "elsewhere.yaml: tables: [] should be non-empty"),
        ({"metrics": ["watt"]}, "watt: the mapping has none"),
        ({"device": {}}, "elsewhere.yaml: unknown key device"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(checkout, change, words):
    path = checkout / "config/targets/elsewhere.yaml"
    path.write_text(yaml.safe_dump(TARGET | change))
    answer = run(checkout, "-n")
    path.write_text(yaml.safe_dump(TARGET))
    assert answer.returncode == 2
    (said,) = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
    assert words in said


def test_nothing_is_measured_on_a_table(checkout):
    from click.testing import CliRunner

    from perfcast.cli import main

    answer = CliRunner().invoke(main, ["plan", "--target", "elsewhere", "--configfile", str(checkout / "where.yaml")])
    assert answer.exit_code == 2
    (checkout / "where.yaml").write_text(f"targets: {checkout}/config/targets\n")
    answer = CliRunner().invoke(main, ["plan", "--target", "elsewhere", "--configfile", str(checkout / "where.yaml")])
    assert answer.exit_code == 2
    assert "was measured elsewhere" in answer.output
