"""A campaign against a runner that answers what a test wants: nothing that a board says is trusted, nothing is lost."""

from dataclasses import replace

import pytest

from perfcast.bench.environment import differing, in_words
from perfcast.bench.target import Protocol, Replicates
from perfcast.bench.visits import Visits
from perfcast.errors import BenchmarkError
from perfcast.progress import quiet
from tests.unit.campaigns import ADAPTIVE, measure


def begun(campaign):
    """Return how many visits each model has had that is not done, in no order."""
    return sorted(len(campaign.measurements.visits.find(key).made) for key in campaign.measurements.visits.all())


def test_a_record_is_made_of_its_visits(campaign, exports, runner):
    runner.wish(visits=3)
    for record in measure(campaign, exports):
        assert record["schema_version"] == 4
        assert [(visit["visit"], visit["round"]) for visit in record["visits"]] == [(0, 0), (1, 1), (2, 2)]
        assert record["started_at"] == record["visits"][0]["started_at"]
        assert record["visits"][0]["calibration"] == {"before_ns": 1000, "after_ns": 1001}
        samples = record["samples"]
        assert samples["wall_ns"] == [1000 * n + i for n in (1, 2, 3) for i in range(5)]
        assert samples["visit"] == samples["round"] == [n for n in (0, 1, 2) for _ in range(5)]
        assert samples["discarded"] == [True, *[False] * 4] * 3
        assert samples["major_faults"] == [0] * 15
        assert samples["steal_ns"] is None
        assert record["peaks"]["flops_per_s"] == 1e11
        assert record["status"] == "measured"
    assert campaign.measurements.visits.all() == []


def test_plan_has_all_that_a_runner_needs(campaign, exports, runner):
    target = replace(campaign.target, settings={"governor": "performance"}, soak_s=2.5)
    measure(replace(campaign, target=target), exports)
    (plan,) = runner.plans
    assert plan["protocol"] == {
        "name": "adaptive", "version": 3, "iterations": 20, "discard": 4, "visits": 4, "repeats": 2,
        "min_visits": 2, "rel_ci_half_width": 0.02,
    }  # fmt: skip
    assert (plan["settings"], plan["soak_s"]) == ({"governor": "performance"}, 2.5)
    assert (plan["environments"], set(plan["calibration_ns"])) == ({}, {1000})
    assert plan["factors"]["device_kind"] == "cpu"
    assert [task["resume"] for task in plan["tasks"]] == [None] * 3
    assert isinstance(plan["seed"], int)


def test_campaign_continues_after_its_visits(campaign, exports, runner):
    runner.wish(killed_after=2 + 4)  # Context and peaks, then a visit of each model and one more.
    with pytest.raises(BenchmarkError, match="killed by signal 9; run again to go on"):
        measure(campaign, exports)
    assert begun(campaign) == [1, 1, 2]
    before = {key: campaign.measurements.visits.find(key).made for key in campaign.measurements.visits.all()}
    runner.wish()
    for record in measure(campaign, exports):
        assert [visit["visit"] for visit in record["visits"]] == [0, 1]
        made = before[record["key"]]
        assert record["samples"]["wall_ns"][: 5 * len(made)] == [t for v in made for t in v["samples"]["wall_ns"]]
        assert [v["started_at"] for v in record["visits"]][: len(made)] == [v["started_at"] for v in made]
    plan = runner.plans[-1]
    (digest,) = plan["environments"]
    assert plan["environments"][digest] == campaign.measurements.environment(digest)
    resumed = next(task["resume"] for task in plan["tasks"] if len(task["resume"]["visits"]) == 2)
    assert resumed == {
        "environment": digest,
        "visits": [
            {"visit": 0, "median_ns": 1002.5, "disturbed": False},
            {"visit": 1, "median_ns": 2002.5, "disturbed": False},
        ],
    }
    assert campaign.measurements.visits.all() == []


def test_visits_of_another_environment_are_kept_until_restart(campaign, exports, runner, capsys):
    runner.wish(killed_after=2 + 3)
    with pytest.raises(BenchmarkError):
        measure(campaign, exports)
    runner.wish(killed_after=2 + 1, host="another board")
    with pytest.raises(BenchmarkError):
        measure(campaign, exports)
    assert "host was board, is another board: models that are partly measured start over (3)" in capsys.readouterr().err
    environments = [campaign.measurements.visits.find(key).environment for key in campaign.measurements.visits.all()]
    assert sorted(map(environments.count, set(environments))) == [1, 2]
    runner.wish()
    assert all(len(record["visits"]) == 2 for record in measure(campaign, exports))


def test_crashed_model_continues_after_its_visits(campaign, exports, runner):
    runner.wish(status="crashed")
    for record in measure(campaign, exports):
        assert (record["status"], record["samples"], len(record["visits"])) == ("crashed", None, 2)
    assert begun(campaign) == [2, 2, 2]
    runner.wish()
    assert [record["status"] for record in measure(campaign, exports)] == ["measured"] * 3
    assert [len(task["resume"]["visits"]) for task in runner.plans[-1]["tasks"]] == [2, 2, 2]
    assert campaign.measurements.visits.all() == []


@pytest.mark.parametrize("status", ["failed", "rejected", "out_of_memory"])
def test_permanent_failure_is_recorded_and_not_retried(campaign, exports, runner, status):
    runner.wish(status=status)
    first = measure(campaign, exports)
    assert {record["status"] for record in first} == {status}
    assert first[0]["memory"] == {"peak_bytes": 10**8}
    assert measure(campaign, exports) == first
    assert len(runner.plans) == 1
    assert campaign.measurements.visits.all() == []


GARBAGE = [
    "hello",
    "",
    "[]",
    '{"event": 1}',
    '{"event": "measurement", "key": "no"}',
    '{"event": "environment"}',
    "[" * 9999,
]

BAD = [
    ({"instead": {"visit": {"visit": 1}}}, r"answered visit 1 of mlp_\w+: visit 0 was due"),
    ({"twice": "visit"}, r"answered visit 0 of mlp_\w+: visit 1 was due"),
    ({"visits": 7}, r"answered visit 6 of mlp_\w+: no further visit was due"),
    ({"visits": 1}, r"ended mlp_\w+ after 1 visits, which are too few"),
    ({"twice": "measurement"}, "answered for a model that was not requested"),
    ({"twice": "environment"}, "answered 'environment' unexpectedly"),
    ({"twice": "peaks"}, "peaks twice"),
    ({"twice": "done"}, "answered 'done' unexpectedly"),
    ({"instead": {"visit": {"key": "0" * 64}}}, "answered for a model that was not requested: '000"),
    ({"instead": {"visit": {"samples": {"wall_ns": [1, 2, 3, 4]}}}}, r"lists of \[4, 5\] samples of mlp_\w+"),
    ({"instead": {"visit": {"samples": {"run_delay_ns": []}}}}, r"lists of \[0, 5\] samples"),
    ({"instead": {"visit": {"samples": {"discarded": [False] * 5}}}}, "discarded other samples of"),
    ({"instead": {"visit": {"started_at": "soon"}}}, "malformed answer of the runner"),
    ({"instead": {"environment": {"runner_version": 1}}}, "is of version 1, not 6; update it on the device"),
    ({"instead": {"environment": {"environment": {"settings": {"governor": "powersave"}}}}},
     r"changed while it was asked to measure \(governor was performance, is powersave\); run again"),
    *(({"lines": [line]}, "malformed answer of the runner") for line in GARBAGE),
    ({"lines": []}, "ended with 3 of 3 models not measured"),
    ({"lines": ['{"event": "done"}']}, "answered 'done' unexpectedly"),
    ({"lines": ['{"event": "environment", "runner_version": 6, "boot": null, "calibration_ns": null, '
                '"environment": {"machine": {"cpu": "\\ud800", "identity": "0123456789abcdef"}, '
                '"software": {}, "settings": {}, "variables": {}}}']},
     "malformed answer of the runner"),
]  # fmt: skip


@pytest.mark.parametrize(("wishes", "words"), BAD, ids=[words[:40] for _, words in BAD])
def test_unexpected_answer_ends_in_one_line(campaign, exports, runner, wishes, words):
    runner.wish(**wishes)
    with pytest.raises(BenchmarkError, match=words) as caught:
        measure(campaign, exports)
    assert "\n" not in str(caught.value)
    runner.wish()
    assert [record["status"] for record in measure(campaign, exports)] == ["measured"] * 3


def test_endless_line_is_refused(campaign, exports, runner, monkeypatch):
    monkeypatch.setattr("perfcast.bench.runner_process.MAX_LINE_BYTES", 100)
    with pytest.raises(BenchmarkError, match="malformed answer of the runner"):
        measure(campaign, exports)


def test_changed_environment_is_reported_and_measured_again(campaign, exports, runner, capsys):
    runner.wish(settings={"governor": "powersave"})
    before = measure(campaign, exports[:2])
    assert capsys.readouterr().err == ""
    runner.wish()
    now = measure(campaign, exports)
    line = "governor was powersave, is performance: measuring again (2 of 3 were measured in the other environment)\n"
    assert capsys.readouterr().err == line
    assert not {r["key"] for r in before} & {r["key"] for r in now}
    assert {r["fingerprint"] for r in before}.isdisjoint(r["fingerprint"] for r in now)
    runner.wish(settings={"governor": "powersave"})
    assert measure(campaign, exports[:2]) == before
    assert capsys.readouterr().err == ""


def test_measurements_of_another_toolchain_are_ignored(campaign, exports, runner, capsys):
    measure(campaign, exports)
    store = campaign.measurements.fingerprints
    (fingerprint,) = store.all()
    software = {name: value for name, value in fingerprint["software"].items() if name != "noop"}
    store.note(fingerprint | {"software": software | {"tensorflow": "2"}}, "a processor", [1])
    runner.wish(host="another of the same kind")
    target = replace(campaign.target, name="other")
    assert len(measure(replace(campaign, target=target), exports)) == 3
    assert capsys.readouterr().err == ""


def test_many_differences_are_abbreviated():
    facts = {f"fact{index}": "\x1b[2J" + "long " * 100 for index in range(9)}
    before = {"machine": facts, "software": {}, "settings": {}, "variables": {}}
    words = in_words(differing(before, {"machine": {}, "software": {}, "settings": {}, "variables": {}}))
    assert words.startswith("fact0 was �[2Jlong long")
    assert words.endswith("; and 4 more")
    assert len(words) < 600
    assert words.isprintable()


def test_host_name_is_not_part_of_the_environment(campaign, exports, runner):
    before = measure(campaign, exports)
    runner.wish(host="another of the same kind")
    assert measure(campaign, exports) == before


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"governor": "performance"}},
        {"soak_s": 1.0},
        {"protocol": replace(ADAPTIVE, rel_ci_half_width=0.03)},
        {"protocol": replace(ADAPTIVE, repeats=3)},
        {"protocol": Protocol("published", 20, 4, visits=4, repeats=2)},
    ],
    ids=str,
)
def test_key_covers_all_requested_settings(campaign, exports, change):
    other = replace(campaign, target=replace(campaign.target, **change))
    keys = [{task.key for task in each.tasks(exports, each.environment())} for each in (campaign, other)]
    assert keys[0].isdisjoint(keys[1])


def test_next_run_knows_earlier_calibrations(campaign, exports, runner):
    for calibration, settings in ((900, {}), (1100, {}), (5, {"governor": "powersave"})):
        runner.wish(calibration=calibration, settings=settings)
        target = replace(campaign.target, soak_s=float(calibration))
        measure(replace(campaign, target=target), exports)
    runner.wish()
    measure(campaign, exports)
    elsewhere = replace(campaign, target=replace(campaign.target, device_name="another"))
    measure(elsewhere, exports)
    assert [min(plan["calibration_ns"], default=None) for plan in runner.plans] == [900, 900, 5, 900, None]


def test_visits_of_a_finished_measurement_are_deleted(campaign, exports, runner):
    """A kill after a measurement is stored and before its visits are deleted."""
    (record,) = measure(campaign, exports[:1])
    visits = Visits(record["environment"])
    campaign.measurements.visits.put(record["key"], visits)
    assert campaign.measurements.visits.find(record["key"]) == visits
    measure(campaign, exports)
    assert campaign.measurements.visits.find(record["key"]) is None


def test_progress_counts_visits(campaign, exports, runner):
    told = []

    class Bar:
        def __init__(self, total, description):
            told.append(total)

        def __enter__(self):
            return lambda pieces=1: told.append(pieces)

        def __exit__(self, *_):
            pass

    runner.wish(killed_after=2 + 4, visits=4)
    with pytest.raises(BenchmarkError):
        campaign.measure(exports, Bar, "")
    assert told[0] == 12
    assert sum(told[1:]) == 4
    told.clear()
    runner.wish(visits=3)
    campaign.measure(exports, Bar, "")
    assert (told[0], sum(told[1:])) == (12, 12)
    assert 4 in told[1:3]


def test_repetitions_are_separate_and_last(campaign, exports):
    campaign = replace(campaign, target=replace(campaign.target, replicates=Replicates(1.0, 2)))
    tasks = campaign.tasks(exports, campaign.environment())
    assert [task.replicate for task in tasks] == [0] * 3 + [1] * 3 + [2] * 3
    assert len({task.key for task in tasks}) == 9
    assert campaign.measure(exports, quiet, "") == [task.key for task in tasks]
