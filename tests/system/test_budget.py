"""A campaign under a budget: an answer for each model whenever it ends, and the next run goes on."""

import pandas as pd

from tests.system.small_campaign import DATASET, SmallCampaign

JOBS = ["benchmark_shard 0", "build_dataset"]


def test_the_next_run_goes_on_where_the_budget_ended(tmp_path, root, finished):
    campaign = SmallCampaign(tmp_path, root)
    campaign.prepare(visits=3)
    campaign.edit("config.yaml", "shards: 2", "shards: 1")
    campaign.take_exports(finished)
    short = campaign.run("--config", "budget=0s", "--", DATASET)
    assert short.code == 0, short.said
    first = pd.read_parquet(tmp_path / DATASET)
    assert set(first["stopped_by"]) == {"budget"}
    assert set(first["visits"]) == {1}
    assert set(first["replicate"]) == {0}  # Repetitions wait until there is time for them.
    visits = campaign.visits()

    # What a budget ended is measured further, and what is complete is not.
    whole = campaign.run("--config", "budget=1h", "--", DATASET)
    assert whole.jobs == JOBS, whole.said
    second = pd.read_parquet(tmp_path / DATASET)
    assert second["stopped_by"].isna().all()
    assert set(second["visits"]) == {3}
    assert set(second["replicate"]) == {0, 1}
    made = campaign.visits()
    assert {key: made[key][:1] for key in visits} == visits
    assert campaign.run("--dry-run", "--", DATASET).jobs == []


def test_a_budget_that_is_none_is_one_line(tmp_path, root):
    campaign = SmallCampaign(tmp_path, root)
    campaign.prepare()
    refused = campaign.run("--dry-run", "--config", "budget=soon")
    assert refused.code == 2
    assert (
        "budget: 'soon' does not match; write a number with the unit s, m or h, such as 90s or 5m" in refused.errors[-1]
    )
