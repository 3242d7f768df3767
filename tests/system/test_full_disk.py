"""The workflow on a disk that is full: one line, exit code 1, and it goes on once there is room."""

import pytest

from tests.full_disk import small_disk
from tests.system.small_campaign import DATASET, SHARDS, SmallCampaign


@pytest.fixture
def campaign(tmp_path, root):
    campaign = SmallCampaign(tmp_path, root)
    campaign.prepare(iterations=400, visits=2, share=0.0)
    return campaign


@pytest.mark.parametrize("pages", [0, pytest.param(8, marks=pytest.mark.slow)])
def test_full_disk_ends_in_one_line_and_loses_nothing(campaign, finished, pages):
    results = campaign.folder / "results"
    results.mkdir()
    with small_disk(results, 20_000) as disk:
        campaign.take_exports(finished)
        exports = [f"results/manifests/export/{shard}.json" for shard in SHARDS]
        assert campaign.run(*exports, "results/quick/manifests/0.json").code == 0
        before = campaign.records()
        assert before
        disk.fill(leave=4096 * pages)
        answer = campaign.run(DATASET)
        assert answer.refused("No space left on device", code=1), answer.said
        assert list((results / "store").rglob(".*")) == []
        kept, visits = campaign.records(), campaign.visits()
        assert before.items() <= kept.items()
        disk.free()
        answer = campaign.run(DATASET)
        assert answer.code == 0, answer.said
        now = campaign.visits()
        assert kept.items() <= campaign.records().items()
        assert {key: now[key][: len(made)] for key, made in visits.items()} == visits
        assert {len(made) for made in now.values()} == {2}
        assert len(now) == 10
