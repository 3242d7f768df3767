"""The workflow on a disk that is full: one line, exit code 1, and it goes on once there is room."""

import pytest

from tests.full_disk import small_disk
from tests.system.small_campaign import SmallCampaign


@pytest.fixture
def campaign(tmp_path, root):
    campaign = SmallCampaign(tmp_path, root)
    campaign.prepare(iterations=400, visits=2, share=0.0)
    return campaign


@pytest.mark.parametrize("pages", [0, 8])
def test_a_full_disk_ends_the_campaign_in_one_line_and_nothing_is_lost(campaign, pages):
    results = campaign.folder / "results"
    results.mkdir()
    with small_disk(results, 20_000) as disk:
        exports = [f"results/manifests/export/{shard}.json" for shard in range(3)]
        assert campaign.run(*exports, "results/quick/manifests/0.json").code == 0
        before = campaign.records()
        assert before
        disk.fill(leave=4096 * pages)
        answer = campaign.run("results/quick/dataset.parquet")
        assert answer.code == 1
        said = [line for line in answer.said.splitlines() if line.startswith("error: ")]
        assert len(said) == 1, answer.said
        assert "No space left on device" in said[0]
        assert "Traceback" not in answer.said
        assert list((results / "store").rglob(".*")) == []
        kept, visits = campaign.records(), campaign.visits()
        assert before.items() <= kept.items()
        disk.free()
        answer = campaign.run("results/quick/dataset.parquet")
        assert answer.code == 0, answer.said
        now = campaign.visits()
        assert kept.items() <= campaign.records().items()
        assert {key: now[key][: len(made)] for key, made in visits.items()} == visits
        assert {len(made) for made in now.values()} == {2}
        assert len(now) == 10
