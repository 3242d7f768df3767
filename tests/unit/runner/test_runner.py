"""The runner on whole plans, with models that do as a test needs."""

import json
import time

import pytest

from tests.unit.runner.runs import ADAPTIVE, GOOD, PUBLISHED, SLOW_TO_LOAD, coded, key_of, plan_of, run

pytestmark = pytest.mark.heavy

CAUSES = {
    *("voluntary_switches", "involuntary_switches", "minor_faults", "major_faults"),
    *("run_delay_ns", "steal_ns", "interrupt_ns"),
}
MB = 1_000_000


def lists_of(visit):
    return {len(values) for values in visit["samples"].values()}


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calm")
    return run(plan_of(coded(folder, a=GOOD, b=GOOD, c=GOOD)), folder)


def test_every_visit_of_every_model_is_answered(calm):
    assert calm.status == 0, calm.said
    assert [answer["event"] for answer in calm.answers[:2]] == ["environment", "peaks"]
    assert calm.answers[-1] == {"event": "done"}
    for name in "abc":
        visits = calm.of("visit", name)
        assert [(visit["visit"], visit["round"]) for visit in visits] == [(n, n) for n in range(4)]
        assert calm.outcome(name) == ("measured", None)


def test_visit_has_its_inferences_and_noise_indicators(calm):
    for visit in calm.of("visit"):
        samples = visit["samples"]
        assert samples["discarded"] == [True] + [False] * 4
        assert lists_of(visit) == {5}
        assert set(samples) == {"wall_ns", "process_ns", "discarded", *CAUSES}
        assert min(samples["wall_ns"]) > 0
        assert visit["state"]["others_cpus"] >= 0
        assert min(visit["calibration"].values()) > 1e5


def test_measurement_records_its_cost(calm):
    for answer in calm.of("measurement"):
        memory, timing = answer["memory"], answer["timing"]
        for kind in ("load", "run"):
            assert 0 < memory[f"null_{kind}_peak_bytes"] < memory[f"{kind}_peak_bytes"] + 5 * MB
        assert memory["peak_resettable"] is True
        assert timing["load_s"] > 0
        assert timing["first_call_s"] > 0
        assert 0 < timing["fork_s"] < timing["overhead_s"]
        assert answer["sustained"] is None


def test_the_same_seed_gives_the_same_order(calm, tmp_path):
    def order(answers):
        return [visit["key"] for visit in answers.of("visit")]

    again, other = (run(plan_of(coded(tmp_path, a=GOOD, b=GOOD, c=GOOD), seed=seed), tmp_path) for seed in (7, 8))
    assert order(again) == order(calm) != order(other)


FAULTS = {
    "hangs": "import time\ndef infer(x):\n    time.sleep(100)\n",
    "segfaults": "import ctypes\ndef infer(x):\n    ctypes.string_at(0)\n",
    "leaves": "import os\ndef infer(x):\n    os._exit(3)\n",
    "raises": "raise ValueError('no graph\\nat all')\n",
    "swells": "held = bytearray(300_000_000)\ndef infer(x):\n    raise MemoryError\n",
    "tires": SLOW_TO_LOAD
    + "calls = []\ndef infer(x):\n    calls.append(1)\n    assert len(calls) < 15\n    return [x[:, :2]]\n",
}
VERDICTS = {
    "hangs": ("timed_out", "took more than 1.5 s"),
    "segfaults": ("crashed", "killed by signal 11"),
    "leaves": ("crashed", "ended with status 3"),
    "raises": ("failed", "ValueError: no graph"),
    "swells": ("out_of_memory", "not enough memory"),
    "tires": ("failed", "AssertionError: "),
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faulty")
    models = {
        name: model for fault, code in FAULTS.items() for name, model in ((fault, code), (f"after_{fault}", GOOD))
    }
    return run(plan_of(coded(folder, **models), time_limit_s=1.5), folder)


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_recorded_and_affects_no_other_model(faulty, fault):
    assert faulty.outcome(fault) == VERDICTS[fault]
    assert faulty.outcome(f"after_{fault}") == ("measured", None)
    assert len(faulty.of("visit", f"after_{fault}")) == 4
    (answer,) = faulty.of("measurement", fault)
    assert answer["memory"]["peak_bytes"] > (310 if fault == "swells" else 10) * MB
    assert (answer["timing"], answer["sustained"]) == (None, None)


def test_visits_before_a_fault_are_answered(faulty):
    assert [visit["visit"] for visit in faulty.of("visit", "tires")] == [0, 1]


def test_out_of_memory_with_others_is_retried_alone(tmp_path):
    """A model that fits only while no other is open; the file says how often it was loaded."""
    crowded = f"""
import os
siblings = [p for p in os.listdir("/proc") if p.isdigit() and parent_of(p) == os.getppid()]
with open({str(tmp_path / "loads")!r}, "a") as file:
    file.write("%d " % len(siblings))
if len(siblings) > 1:
    raise MemoryError
"""
    helper = """
def parent_of(pid):
    try:
        with open("/proc/%s/stat" % pid) as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return None
"""
    done = run(plan_of(coded(tmp_path, a=GOOD, crowded=helper + crowded + SLOW_TO_LOAD + GOOD, b=GOOD)), tmp_path)
    assert {done.outcome(name) for name in ("a", "crowded", "b")} == {("measured", None)}
    assert (tmp_path / "loads").read_text() == "2 1 "
    assert [answer["key"] for answer in done.of("measurement")][-1] == key_of("crowded")


@pytest.mark.alone
def test_time_limit_counts_only_the_models_own_time(tmp_path):
    """Two models of 1.2 s each, visited in turn, under a limit of 2 s; a third takes 3 s, in short visits."""
    code = "import time\ndef infer(x):\n    time.sleep({})\n    return [x[:, :2] + 1]\n"
    models = coded(tmp_path, a=code.format(0.05), b=code.format(0.05), c=code.format(0.13))
    done = run(plan_of(models, time_limit_s=2), tmp_path)
    assert done.outcome("a") == done.outcome("b") == ("measured", None)
    assert done.outcome("c") == ("timed_out", "took more than 2 s")
    assert 1 <= len(done.of("visit", "c")) < 4


def test_disturbed_visits_are_repeated_up_to_the_limit(tmp_path):
    """Nothing is as fast as what was seen before."""
    plan = plan_of(
        coded(tmp_path, a=GOOD, b=GOOD), PUBLISHED | {"repeats": 3}, calibration_ns=[1] * 400, history=[99, 99]
    )
    done = run(plan, tmp_path)
    for name in "ab":
        assert [visit["disturbed"] for visit in done.of("visit", name)] == [True] * 7
        assert done.outcome(name) == ("measured", None)


@pytest.mark.alone
def test_the_adaptive_protocol_ends_early(tmp_path):
    """One model takes the same time each time, the other twice as long in every other visit."""
    steady = "import time\ndef infer(x):\n    time.sleep(0.01)\n    return [x[:, :2] + 1]\n"
    shifting = """
import time
calls = []
def infer(x):
    calls.append(1)
    time.sleep(0.01 + 0.01 * ((len(calls) - 3) // 5 % 2))
    return [x[:, :2] + 1]
"""
    models = coded(tmp_path, steady=steady, shifting=SLOW_TO_LOAD + shifting)
    plan = plan_of(models, ADAPTIVE | {"min_visits": 3, "rel_ci_half_width": 1.0})
    done = run(plan, tmp_path, environment={"ALL_IS_CALM": "1"})
    assert [len(done.of("visit", name)) for name in ("steady", "shifting")] == [3, 4]
    assert done.outcome("steady") == done.outcome("shifting") == ("measured", None)


@pytest.mark.alone
def test_quickly_loaded_model_has_a_new_process_per_visit(tmp_path):
    """What loads in no time, and what takes longer than a visit: each notes the process that loads it."""
    note = "import os\nwith open({!r}, 'a') as file:\n    file.write('%d ' % os.getpid())\n"
    quick, slow = (tmp_path / name for name in ("quick", "slow"))
    models = coded(tmp_path, a=note.format(str(quick)) + GOOD, b=note.format(str(slow)) + SLOW_TO_LOAD + GOOD)
    done = run(plan_of(models), tmp_path)
    assert len(done.of("visit", "a")) == len(done.of("visit", "b")) == 4
    assert done.outcome("a") == done.outcome("b") == ("measured", None)
    assert len(set(quick.read_text().split())) == 4
    assert len(set(slow.read_text().split())) == 1


def resumed(done, name, count):
    visits = [{"visit": n, "median_ns": 1000.0, "disturbed": False} for n in range(count)]
    return {"environment": "digest", "visits": visits}


@pytest.mark.parametrize(("same", "numbers"), [(True, [2, 3]), (False, [0, 1, 2, 3])])
def test_unchanged_earlier_run_is_continued(calm, tmp_path, same, numbers):
    environment = calm.environment if same else dict(calm.environment, settings={"governor": "other"})
    tasks = coded(tmp_path, a=GOOD, b=GOOD)
    tasks[0]["resume"] = resumed(calm, "a", 2)
    done = run(plan_of(tasks, environments={"digest": environment}), tmp_path)
    assert [visit["visit"] for visit in done.of("visit", "a")] == numbers
    assert [visit["visit"] for visit in done.of("visit", "b")] == [0, 1, 2, 3]


def test_model_with_all_visits_is_only_concluded(calm, tmp_path):
    (task,) = coded(tmp_path, a=GOOD)
    done = run(plan_of([dict(task, resume=resumed(calm, "a", 4))], environments={"digest": calm.environment}), tmp_path)
    assert done.of("visit") == []
    assert done.outcome("a") == ("measured", None)
    assert done.of("measurement")[0]["memory"]["run_peak_bytes"] > 0


def test_soak_times_as_many_inferences_as_a_visit(tmp_path):
    start = time.monotonic()
    done = run(plan_of(coded(tmp_path, a=GOOD, b=GOOD), soak_s=0.5), tmp_path)
    assert time.monotonic() - start > 1.0
    for answer in done.of("measurement"):
        assert len(answer["sustained"]["wall_ns"]) == 5
        assert 0.5 <= answer["sustained"]["seconds"] < 5
    events = [answer["event"] for answer in done.answers]
    assert events.index("measurement") > len(events) - 1 - events[::-1].index("visit")


def test_short_memory_peak_is_seen(tmp_path):
    """200 MB, for a millisecond, in one of the inferences."""
    code = "calls = []\ndef infer(x):\n    calls.append(1)\n    bytearray(200_000_000 if len(calls) == 6 else 1)\n"
    done = run(plan_of(coded(tmp_path, a=code + "    return [x[:, :2] + 1]\n", b=GOOD)), tmp_path)
    peaks = [done.of("measurement", name)[0]["memory"] for name in "ab"]
    for memory, least, most in zip(peaks, (195, -5), (215, 10), strict=True):
        assert least * MB < memory["run_peak_bytes"] - memory["null_run_peak_bytes"] < most * MB
        assert memory["load_peak_bytes"] - memory["null_load_peak_bytes"] < 10 * MB


def test_clock_set_back_changes_only_the_time_of_day(tmp_path):
    done = run(plan_of(coded(tmp_path, a=GOOD)), tmp_path, environment={"CLOCK_GOES_BACK": "1"})
    starts = [visit["started_at"] for visit in done.of("visit")]
    assert starts == sorted(starts, reverse=True)
    assert len(set(starts)) == 4
    assert done.outcome("a") == ("measured", None)
    assert min(min(visit["samples"]["wall_ns"]) for visit in done.of("visit")) > 0
    assert done.of("measurement")[0]["timing"]["overhead_s"] < 60


def test_failing_null_model_ends_the_campaign(tmp_path):
    plan = plan_of(coded(tmp_path, a=GOOD), time_limit_s=0)
    done = run(plan, tmp_path)
    assert done.status == 1
    assert done.said.strip().endswith("the null model could not be measured: took more than 0 s")
    assert json.dumps(done.answers).count("event") == 1


def test_runtime_that_cannot_fork_uses_new_processes(tmp_path):
    models = coded(tmp_path, a=GOOD, b="import os\nos._exit(3)\n", c=SLOW_TO_LOAD + GOOD)
    done = run(plan_of(models), tmp_path, environment={"UNFORKABLE": "yes"})
    assert done.status == 0, done.said
    assert [done.outcome(name)[0] for name in "abc"] == ["measured", "crashed", "measured"]
    assert "forked children do not work here (RuntimeError: this runtime does not" in done.said
    assert len(done.of("visit", "c")) == 4
