"""Visits are interleaved, in groups that memory holds, whatever happens to single models."""

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcast.runner import rounds
from perfcast.runner.children import TaskFailure
from perfcast.runner.effort import History
from perfcast.runner.rounds import MAX_OPEN, Rounds

PROTOCOL = {"name": "published", "visits": 3, "repeats": 2}
GIB = 1 << 30
OUT_OF_MEMORY = "out_of_memory"


class Machine:
    """Models that are numbers: what they hold in memory, and what happens at each of their visits."""

    def __init__(self, monkeypatch, memory=64 * GIB, protocol=PROTOCOL, soak_s=None):
        self.protocol, self.soak_s = protocol, soak_s
        self.spare_cpus, self.null_memory, self.usual = 0, {}, self
        self.memory, self.held = memory, {}
        self.answers, self.log = [], []
        monkeypatch.setattr(rounds, "available_bytes", lambda: self.memory - sum(self.held.values()))

    def limit_after(self, calibration):
        return 100

    def answer(self, event, **values):
        self.answers.append((event, values))

    def visits(self, key=None):
        return [values for event, values in self.answers if event == "visit" and key in (None, values["key"])]

    def statuses(self):
        return {values["key"]: values["status"] for event, values in self.answers if event == "measurement"}

    def measure(self, *models, seed=1):
        # A machine that was calm so far: what is disturbed is worth repeating.
        Rounds(self, models, seed, History(100, 100)).run()
        assert self.held == {}
        return self


class FakeModel:
    """`events` are what its visits come to, one after the other: "calm" for all that are not given."""

    def __init__(self, machine, key, size=GIB, events=(), visits=()):
        self.machine, self.key, self.size, self.visits = machine, key, size, list(visits)
        self.events = itertools.chain(events, itertools.repeat("calm"))
        self.process, self.memory, self.computed_on, self.is_alone = None, {}, {"cpu": 1}, False

    def visit(self, bench):
        self.process = self
        self.machine.held[self.key] = self.size
        event = next(self.events)
        self.machine.log.append((self.key, len(self.machine.held)))
        if event not in ("calm", "disturbed", "swapped"):
            raise TaskFailure(event, "because")
        slow = 200 if event == "disturbed" else 100
        samples = {"wall_ns": [5], "discarded": [False]}
        state = {"others_cpus": 0.0, "swapped_meanwhile": 9 if event == "swapped" else 0}
        return {"calibration": {"before_ns": slow, "after_ns": slow}, "samples": samples, "state": state}

    def sustain(self, seconds):
        self.machine.log.append((self.key, "sustained"))
        return {"wall_ns": [5], "seconds": seconds}

    def end(self):
        del self.machine.held[self.key]

    def peak_bytes(self):
        return self.size

    def timing(self):
        return {}


def machine_of(monkeypatch, events, **changes):
    machine = Machine(monkeypatch, **changes)
    return machine.measure(*[FakeModel(machine, key, events=each) for key, each in events.items()])


def test_rounds_visit_each_model_once_in_random_order(monkeypatch):
    machine = machine_of(monkeypatch, dict.fromkeys("abcdefgh", ()))
    orders = [[v["key"] for v in machine.visits() if v["round"] == number] for number in range(3)]
    assert orders[0] == list("abcdefgh")
    assert [sorted(order) for order in orders] == [list("abcdefgh")] * 3
    assert len({tuple(order) for order in orders}) == 3
    assert set(machine.statuses().values()) == {"measured"}


def test_order_depends_on_the_seed_alone(monkeypatch):
    def order(seed):
        machine = Machine(monkeypatch)
        machine.measure(*[FakeModel(machine, key) for key in "abcdefgh"], seed=seed)
        return [visit["key"] for visit in machine.visits()]

    assert order(1) == order(1) != order(2)


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from(["calm", "disturbed", "swapped"]), max_size=6)),
    st.sampled_from([PROTOCOL, PROTOCOL | {"repeats": 0}, PROTOCOL | {"visits": 1}]),
)
def test_disturbed_visits_are_repeated_in_later_rounds(events, protocol):
    with pytest.MonkeyPatch.context() as monkeypatch:
        machine = machine_of(monkeypatch, events, protocol=protocol)
    for key, each in events.items():
        visits = machine.visits(key)
        assert [visit["visit"] for visit in visits] == list(range(len(visits)))
        assert [visit["round"] for visit in visits] == list(range(len(visits)))
        disturbed = sum(visit["disturbed"] for visit in visits)
        assert disturbed == sum(event != "calm" for event in each[: len(visits)])
        assert len(visits) == protocol["visits"] + min(disturbed, protocol["repeats"])
    assert machine.statuses() == dict.fromkeys(events, "measured")


def test_group_uses_at_most_half_of_the_memory(monkeypatch):
    """Each model takes 1 GiB of 10: a group is opened until less than 5 are left."""
    machine = Machine(monkeypatch, memory=10 * GIB)
    machine.measure(*[FakeModel(machine, key) for key in "abcdefghijklmn"])
    groups = {key: {v["round"] for v in machine.visits(key)} for key in "abcdefghijklmn"}
    assert [groups[key] for key in "abcdef"] == [{0, 1, 2}] * 6
    assert [groups[key] for key in "ghijkl"] == [{3, 4, 5}] * 6
    assert [groups[key] for key in "mn"] == [{6, 7, 8}] * 2


def test_model_above_half_of_memory_shares_with_few(monkeypatch):
    machine = Machine(monkeypatch, memory=10 * GIB)
    machine.measure(FakeModel(machine, "large", size=8 * GIB), FakeModel(machine, "small"))
    assert [(v["key"], v["round"]) for v in machine.visits()] == [
        *[("large", number) for number in (0, 1, 2)],
        *[("small", number) for number in (3, 4, 5)],
    ]


def test_number_of_open_models_is_limited(monkeypatch):
    names = [str(number) for number in range(2 * MAX_OPEN + 3)]
    machine = machine_of(monkeypatch, dict.fromkeys(names, ()))
    assert max(count for _, count in machine.log) == MAX_OPEN
    assert machine.statuses() == dict.fromkeys(names, "measured")


@pytest.mark.parametrize("status", ["failed", "rejected", "timed_out", "crashed"])
@pytest.mark.parametrize("before", [0, 1, 2])
def test_failure_affects_one_model_only(monkeypatch, status, before):
    machine = machine_of(monkeypatch, {"a": (), "b": ("calm",) * before + (status,), "c": ()})
    assert machine.statuses() == {"a": "measured", "b": status, "c": "measured"}
    assert len(machine.visits("b")) == before
    (answer,) = [values for event, values in machine.answers if event == "measurement" and values["key"] == "b"]
    assert (answer["reason"], answer["memory"]) == ("because", {"peak_bytes": GIB})


@pytest.mark.parametrize(("again", "status"), [("calm", "measured"), (OUT_OF_MEMORY, OUT_OF_MEMORY)])
@pytest.mark.parametrize("before", [0, 1, 2])
def test_out_of_memory_with_others_is_retried_alone(monkeypatch, again, status, before):
    machine = machine_of(monkeypatch, {"a": (), "b": ("calm",) * before + (OUT_OF_MEMORY, again), "c": ()})
    assert machine.statuses() == {"a": "measured", "b": status, "c": "measured"}
    tried = [open_models for key, open_models in machine.log if key == "b"]
    assert tried[:before] == [2, 3][:before]
    assert set(tried[before + 1 :]) == {1}
    assert [v["visit"] for v in machine.visits("b")] == list(range(3 if status == "measured" else before))
    assert list(machine.statuses())[-1] == "b"


def test_out_of_memory_alone_is_not_retried(monkeypatch):
    machine = machine_of(monkeypatch, {"a": (OUT_OF_MEMORY,), "b": ()})
    assert machine.statuses() == {"a": OUT_OF_MEMORY, "b": "measured"}
    assert Counter(key for key, _ in machine.log) == {"a": 1, "b": 3}


def test_visits_of_an_earlier_run_are_continued(monkeypatch):
    machine = Machine(monkeypatch)
    calm, disturbed = (5.0, False), (5.0, True)
    machine.measure(
        FakeModel(machine, "some", visits=[calm, disturbed]),
        FakeModel(machine, "all", visits=[calm, disturbed, calm, calm]),
        FakeModel(machine, "none"),
    )
    assert [v["visit"] for v in machine.visits("some")] == [2, 3]
    assert machine.visits("all") == []
    assert [key for key, _ in machine.log].count("all") == 1
    assert [v["visit"] for v in machine.visits("none")] == [0, 1, 2]
    assert set(machine.statuses().values()) == {"measured"}


def test_soak_comes_after_all_visits_of_a_group(monkeypatch):
    machine = machine_of(monkeypatch, {"a": (), "b": ("disturbed",), "c": ()}, soak_s=60.0)
    assert [what for _, what in machine.log][-3:] == ["sustained"] * 3
    sustained = [values["sustained"] for event, values in machine.answers if event == "measurement"]
    assert sustained == [{"wall_ns": [5], "seconds": 60.0}] * 3


def test_nothing_to_do_ends_at_once(monkeypatch):
    assert Machine(monkeypatch).measure().answers == []
