"""What users get for a mistake from Snakemake itself; the mistakes are listed in `tests/unit/pipeline`."""

import pandas as pd
import pytest

from tests.system.runs import snakemake
from tests.system.small_campaign import DATASET, SHEET, SmallCampaign


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("config.yaml", "target: quick\nshard: 2\n", "config.yaml: unknown key shard"),
        (
            "sheet.csv",
            SHEET + "dense,mlp,32,layers=1;units=64\n",
            "sheet.csv, row 12: model mlp_1_64_32 is listed twice",
        ),
    ],
)
def test_mistake_is_one_line_exit_code_2_and_runs_nothing(tmp_path, root, file, text, words):
    campaign = SmallCampaign(tmp_path / "campaign", root)
    campaign.prepare()
    (campaign.folder / file).write_text(text)
    answer = campaign.run("--", "results/models.csv")
    assert answer.refused(words), answer.said
    assert not (campaign.folder / "results").exists()


def test_local_profile_measures_this_machine(root):
    answer = snakemake(root, "--profile", "profiles/local", "--dry-run", config=None)
    assert answer.code == 0, answer.said
    assert "benchmark_shard" in answer.said


def test_two_models_are_measured_but_not_trained_on(tmp_path, root):
    campaign = SmallCampaign(tmp_path / "campaign", root)
    campaign.prepare()
    sheet = campaign.folder / "sheet.csv"
    sheet.write_text("".join(sheet.read_text().splitlines(keepends=True)[:3]))
    answer = campaign.run("--dry-run")
    assert answer.refused("2 models of 1 families are too few to train on"), answer.said
    answer = campaign.run("--", DATASET)
    assert answer.code == 0, answer.said
    assert len(pd.read_parquet(campaign.folder / DATASET)["model"].unique()) == 2
