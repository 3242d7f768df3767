"""Models that a device does not survive: a campaign with a runner that only answers, and a system that reboots."""

import pytest

from perfcast.bench.retry import RetryPolicy
from perfcast.bench.visits import VisitStore
from perfcast.errors import BenchmarkError, LinkError
from tests.unit.campaigns import measure, tasks_of


def frozen(campaign, exports, key, boot):
    """Leave what a machine leaves that goes down with a model, whose start was called ``boot``."""
    campaign.measurements.freezes.begin(campaign.transport.name, key, boot)


def keys_of(campaign, exports):
    return [task.key for task in tasks_of(campaign, exports)]


def test_model_that_froze_the_device_is_retried_last(runner, campaign, exports, capsys):
    runner.wish(boot="second")
    keys = keys_of(campaign, exports)
    frozen(campaign, exports, keys[0], "first")
    records = measure(campaign, exports)
    assert [record["status"] for record in records] == ["measured"] * 3
    assert [task["alone"] for task in runner.plans[-1]["tasks"]] == [True, False, False]
    assert "the device went down while it was measured; it is retried once, at the end" in capsys.readouterr().err


def test_model_that_froze_the_device_twice_is_recorded(runner, campaign, exports, capsys):
    keys = keys_of(campaign, exports)
    for boot in ("first", "second"):
        frozen(campaign, exports, keys[1], boot)
        campaign.measurements.freezes.settle(campaign.transport.name, f"after the {boot}")
    frozen(campaign, exports, keys[1], "second")
    runner.wish(boot="third")
    records = measure(campaign, exports)
    assert [record["status"] for record in records] == ["measured", "froze", "measured"]
    assert records[1]["reason"] == "the device went down twice while it was measured"
    assert keys[1] not in [task["key"] for task in runner.plans[-1]["tasks"]]
    assert "it is not retried" in capsys.readouterr().err
    plans = len(runner.plans)
    assert measure(campaign, exports) == records
    assert len(runner.plans) == plans


@pytest.mark.parametrize("now", ["first", None])
def test_same_or_unknown_boot_is_no_freeze(runner, campaign, exports, now):
    keys = keys_of(campaign, exports)
    frozen(campaign, exports, keys[0], "first")
    runner.wish(boot=now)
    measure(campaign, exports)
    assert [task["alone"] for task in runner.plans[-1]["tasks"]] == [False] * 3


def test_boot_after_a_finished_campaign_is_no_freeze(runner, campaign, exports):
    runner.wish(boot="first")
    measure(campaign, exports[:1])
    runner.wish(boot="second")
    measure(campaign, exports)
    assert [task["alone"] for task in runner.plans[-1]["tasks"]] == [False] * 2


def test_boot_after_a_failed_campaign_is_no_freeze(runner, campaign, exports):
    runner.wish(boot="first", instead={"visit": {"visit": 7}})
    with pytest.raises(BenchmarkError):
        measure(campaign, exports)
    runner.wish(boot="second")
    measure(campaign, exports)
    assert [task["alone"] for task in runner.plans[-1]["tasks"]] == [False] * 3


def test_boot_between_two_visits_is_no_freeze(runner, campaign, exports, monkeypatch):
    seen = []
    put = VisitStore.put

    def noted(store, key, visits):
        seen.append(campaign.measurements.freezes.settle(campaign.transport.name, "second"))
        put(store, key, visits)

    monkeypatch.setattr(VisitStore, "put", noted)
    runner.wish(boot="first")
    measure(campaign, exports)
    assert set(seen) == {None}


def test_damaged_note_is_ignored(runner, campaign, exports, tmp_path):
    frozen(campaign, exports, keys_of(campaign, exports)[0], "first")
    (note,) = (tmp_path / "devices").iterdir()
    note.write_text("{")
    runner.wish(boot="second")
    assert [record["status"] for record in measure(campaign, exports)] == ["measured"] * 3


def test_retry_delay_grows_and_resets_on_progress(monkeypatch):
    slept = []
    clock = [0.0]

    def sleep(seconds):
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr("perfcast.bench.retry.time.sleep", sleep)
    monkeypatch.setattr("perfcast.bench.retry.time.monotonic", lambda: clock[0])
    retry, lost = RetryPolicy(100.0), LinkError("gone")
    for _ in range(6):
        retry.after(lost, reached=1)
    assert slept == [1, 2, 4, 8, 16, 32]
    with pytest.raises(LinkError, match="gone"):
        retry.after(lost, reached=1)
    retry.after(lost, reached=2)
    assert slept[-1] == 1
