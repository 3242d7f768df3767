"""A disk that is full: one line, nothing half-written, and the next run goes on from there."""

from dataclasses import replace

import pytest

from perfcast.bench.record import MeasurementStore
from perfcast.errors import StoreError
from perfcast.storage import replacing, write_bytes
from tests.full_disk import small_disk
from tests.unit.campaigns import ADAPTIVE, FakeRunner, dummy_exports, idle_campaign, measure


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, 256) as disk:
        yield disk


LONGER = replace(ADAPTIVE, iterations=800, discard=160)


@pytest.mark.parametrize("pages", [0, 1, 3, 6, 9])
def test_full_disk_is_one_line_and_the_campaign_can_continue(tmp_path, root, monkeypatch, disk, pages):
    runner = FakeRunner(tmp_path, monkeypatch)
    exports = dummy_exports(tmp_path)
    campaign = replace(idle_campaign(tmp_path, root, LONGER), measurements=MeasurementStore(disk.folder / "store"))
    stored = measure(campaign, exports[:1])
    disk.fill(leave=4096 * pages)
    with pytest.raises(StoreError, match=r": cannot be written \(No space left on device\)$") as caught:
        measure(campaign, exports)
    assert "\n" not in str(caught.value)
    assert list((disk.folder / "store").rglob(".*")) == []
    disk.free()
    kept = {key: campaign.measurements.visits.find(key) for key in campaign.measurements.visits.all()}
    records = measure(campaign, exports)
    assert records[0] == stored[0]
    assert [record["status"] for record in records] == ["measured"] * 3
    resumed = {task["key"]: task["resume"] for task in runner.plans[-1]["tasks"]}
    assert {key: len(visits.made) for key, visits in kept.items()} == {
        key: len(resume["visits"]) for key, resume in resumed.items() if resume
    }


def test_existing_file_stays(disk):
    path = disk.folder / "a.json"
    write_bytes(path, b"old")
    disk.fill()
    with pytest.raises(StoreError, match=r"a\.json: cannot be written \(No space left on device\)"):
        write_bytes(path, b"x" * 10_000)
    assert path.read_bytes() == b"old"
    assert sorted(disk.folder.iterdir()) == [path, disk.filler]


def test_full_disk_in_a_library_is_reported_too(disk):
    import pandas as pd

    from perfcast.storage import write_table

    table = pd.DataFrame({"a": range(100_000)})
    disk.fill()
    for ending in ("csv", "parquet"):
        with pytest.raises(StoreError, match=r"cannot be written \(.*No space left on device.*\)") as caught:
            write_table(disk.folder / f"t.{ending}", table)
        assert "\n" not in str(caught.value)
    assert sorted(disk.folder.iterdir()) == [disk.filler]


def test_file_in_place_of_a_folder_is_reported(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be written \("), replacing(tmp_path / "file/x.json"):
        raise AssertionError("there is no such folder")
