"""The study on perfcast's own datasets: their factors, and a campaign that measures what is missing."""

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from perfcast.bench.target import Target, read_description
from perfcast.cli import main
from perfcast.factors import factor_sets
from perfcast.models.sheet import read_sheet
from perfcast.studies.factors.roles import Asked
from perfcast.studies.factors.source import read_source
from tests.unit.factors.own_results import write_results


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("own") / "results")


def test_what_varied_in_a_dataset_are_its_factors(results):
    found = read_source([results / "local"], Asked()).results
    assert found.roles.factors == ("model", "threads", "graph_optimizations")
    assert found.roles.network == "model"
    assert [metric.column for metric in found.roles.measured] == ["latency_ms", "ram_run_peak_mb"]
    assert found.problems["problem"].tolist() == ["was not measured, or was rejected"]
    assert found.cells["latency_ms"].replicates == 2


def test_energy_is_a_metric_where_power_was_measured(results, tmp_path):
    table = pd.read_parquet(results / "local/dataset.parquet")
    table.assign(energy_run_mj=10 * table["latency_ms"]).to_parquet(tmp_path / "dataset.parquet")
    found = read_source([tmp_path], Asked()).results
    assert [metric.column for metric in found.roles.measured] == ["latency_ms", "ram_run_peak_mb", "energy_run_mj"]


def test_versions_of_a_runtime_are_builds(results, tmp_path):
    old = write_results(tmp_path / "old", version="2.9.1", factor=1.3)
    found = read_source([results / "local", old / "local"], Asked()).results
    assert found.roles.build == "toolchain_version"
    assert "fingerprint" not in found.roles.factors


def test_missing_combinations_become_a_campaign(results, tmp_path):
    folder = tmp_path / "next"
    arguments = ["study", "factors", str(results / "local"), "--campaign", str(folder), "--suggest", "5"]
    answer = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    wanted = pd.read_csv(folder / "combinations.csv")
    configuration = yaml.safe_load((folder / "config.yaml").read_text())
    assert configuration["target"] == "gaps"
    description = read_description(folder / "gaps.yaml")
    assert isinstance(Target.from_dict("gaps", description), Target)
    sets = factor_sets(description["factors"])
    asked = {(row.graph_optimizations, row.threads) for row in wanted.itertuples()}
    assert {(each["graph_optimizations"], each["threads"]) for each in sets} == asked
    models = {spec.model for spec in read_sheet(folder / "models.csv")}
    assert set(wanted["model"]) <= models
    assert len(models) == 5


def test_without_a_model_database_there_is_only_the_table(results, tmp_path):
    table = pd.read_parquet(results / "local/dataset.parquet")
    (tmp_path / "alone/local").mkdir(parents=True)
    table.to_parquet(tmp_path / "alone/local/dataset.parquet")
    folder = tmp_path / "next"
    arguments = ["study", "factors", str(tmp_path / "alone/local"), "--campaign", str(folder)]
    answer = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    assert "no models.csv beside the results says how the models are made" in answer.output
    assert [path.name for path in folder.iterdir()] == ["combinations.csv"]
