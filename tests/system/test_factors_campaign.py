"""The campaign that a study of factors writes is one that Snakemake runs."""

import pandas as pd
from click.testing import CliRunner

from perfcast.cli import main
from tests.system.runs import snakemake
from tests.unit.factors.own_results import write_results


def test_snakemake_accepts_the_campaign_of_missing_combinations(root, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    results = write_results(folder / "results")
    campaign = folder / "next"
    arguments = ["study", "factors", str(results / "local"), "--campaign", str(campaign), "--suggest", "4"]
    answer = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    assert len(pd.read_csv(campaign / "combinations.csv")) == 4
    dry = snakemake(folder, "-n", tree=root, config=str(campaign / "config.yaml"))
    assert dry.code == 0, dry.said
    assert "benchmark_shard" in " ".join(dry.jobs)
