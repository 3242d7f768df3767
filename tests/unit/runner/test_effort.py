"""What another visit is worth: repeats end where calm does not come, and a budget goes where it tells most."""

import itertools
import math
import random
from types import SimpleNamespace

import pytest
from scipy import stats

from perfcast.runner import budget, rounds
from perfcast.runner.budget import BudgetedRounds
from perfcast.runner.children import TaskFailure
from perfcast.runner.effort import History, next_round
from perfcast.runner.rounds import Rounds

ADAPTIVE = {"name": "adaptive", "visits": 8, "repeats": 4, "min_visits": 3, "rel_ci_half_width": 0.02}
PUBLISHED = {"name": "published", "visits": 8, "repeats": 4}
GIB = 1 << 30


@pytest.mark.parametrize("repeats", [1, 2, 4, 10])
@pytest.mark.parametrize(("calm", "made"), [(0, 0), (0, 20), (1, 30), (5, 40), (30, 1500), (400, 1500), (40, 40)])
def test_repeats_end_if_calm_is_certainly_rare(repeats, calm, made):
    """The share of calm visits is so low that all repeats of a model likely bring none, with 95% certainty."""
    rare = 1 - 0.5 ** (1 / repeats)
    certainty = stats.beta(calm + 1, made - calm + 1).cdf(rare)
    assert History(calm, made).is_worth_repeating(repeats) is bool(certainty < 0.95)


def test_zero_repeats_are_never_worthwhile():
    assert not History(10, 10).is_worth_repeating(0)


class Clock:
    """Time that passes only when a model is visited."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: self.now))


class Machine:
    """What models share: a clock, memory, and what was answered; `is_calm` says whether a visit is disturbed."""

    def __init__(self, monkeypatch, protocol=PUBLISHED, memory=64 * GIB, is_calm=lambda: True, soak_s=None):
        self.clock = Clock(monkeypatch)
        self.protocol, self.soak_s, self.is_calm = protocol, soak_s, is_calm
        self.spare_cpus, self.null_memory, self.usual = 0, {}, SimpleNamespace(limit_after=lambda calibration: 100)
        self.held, self.answers, self.most_held = {}, [], 0
        monkeypatch.setattr(rounds, "available_bytes", lambda: memory - sum(self.held.values()))

    def answer(self, event, **values):
        self.answers.append((event, values))

    def visits(self, key=None):
        return [values for event, values in self.answers if event == "visit" and key in (None, values["key"])]

    def last_answers(self):
        return {values["key"]: values["stopped_by"] for event, values in self.answers if event == "measurement"}


class FakeModel:
    """A model of so much noise (standard deviation of log latency), and so many seconds a visit."""

    def __init__(self, machine, key, noise=0.0, cost=1.0, visits=(), events=(), answered=None, can_wait=False):
        self.machine, self.key, self.noise, self.cost = machine, key, noise, cost
        self.visits, self.answered, self.cost_s, self.can_wait = list(visits), answered, None, can_wait
        self.random = random.Random(key)
        self.process, self.memory, self.computed_on, self.is_alone, self.loads = None, {}, {"cpu": 1}, False, 0
        self.events = iter(events)

    def visit(self, bench):
        machine = self.machine
        self.loads += self.key not in machine.held
        self.process = self
        machine.held[self.key] = GIB
        machine.most_held = max(machine.most_held, len(machine.held))
        machine.clock.now += self.cost
        self.cost_s = self.cost
        event = next(self.events, None)
        if event:
            raise TaskFailure(event, "because")
        wall = int(1e9 * math.exp(self.random.gauss(0, self.noise)))
        around = 100 if machine.is_calm() else 200
        state = {"others_cpus": 0.0, "swapped_meanwhile": 0}
        samples = {"wall_ns": [wall], "discarded": [False]}
        return {"calibration": {"before_ns": around, "after_ns": around}, "samples": samples, "state": state}

    def sustain(self, seconds):
        self.machine.held[self.key] = GIB
        self.machine.clock.now += seconds
        return {"wall_ns": [5], "seconds": seconds}

    def end(self):
        self.machine.held.pop(self.key, None)

    rest = end

    def peak_bytes(self):
        return GIB

    def timing(self):
        return {}


def measured(machine, models, budget_s, seed=1):
    BudgetedRounds(machine, models, seed, History(), machine.clock.now + budget_s).run()
    assert machine.held == {}
    return machine


def test_repeats_end_without_calm_and_this_is_recorded(monkeypatch):
    machine = Machine(monkeypatch, is_calm=lambda: False)
    models = [FakeModel(machine, str(number)) for number in range(5)]
    Rounds(machine, models, 1, History()).run()
    assert {len(machine.visits(model.key)) for model in models} == {8}
    assert machine.last_answers() == dict.fromkeys([model.key for model in models], "no_calm")


def test_repeats_continue_if_calm_is_occasional(monkeypatch):
    turns = itertools.cycle([True, False])
    machine = Machine(monkeypatch, is_calm=lambda: next(turns))
    models = [FakeModel(machine, str(number)) for number in range(5)]
    Rounds(machine, models, 1, History()).run()
    assert all(len(machine.visits(model.key)) > 8 for model in models)
    assert set(machine.last_answers().values()) == {None}


def test_visits_of_earlier_runs_show_whether_calm_comes(monkeypatch):
    """After a restart nothing is learned again: what was disturbed before counts."""
    machine = Machine(monkeypatch, is_calm=lambda: False)
    before = [(10**9, True)] * 8
    models = [FakeModel(machine, str(number), visits=before) for number in range(3)]
    Rounds(machine, models, 1, History()).run()
    # One visit each shows the memory, and is not kept.
    assert machine.visits() == []
    assert set(machine.last_answers().values()) == {"no_calm"}


def test_each_model_is_visited_once_however_small_the_budget(monkeypatch):
    machine = Machine(monkeypatch)
    measured(machine, [FakeModel(machine, str(number)) for number in range(40)], 0)
    assert sorted(visit["key"] for visit in machine.visits()) == sorted(map(str, range(40)))
    assert machine.last_answers() == {str(number): "budget" for number in range(40)}


@pytest.mark.parametrize("seconds", [10, 15, 20, 25, 77])
def test_visits_are_spread_evenly_at_first(monkeypatch, seconds):
    machine = Machine(monkeypatch)
    measured(machine, [FakeModel(machine, str(number), noise=0.01) for number in range(10)], seconds)
    keys = [visit["key"] for visit in machine.visits()]
    assert len(keys) == seconds
    for start in (0, 10):
        assert len(set(keys[start : start + 10])) == len(keys[start : start + 10])


def test_a_model_with_all_its_visits_is_complete(monkeypatch):
    machine = Machine(monkeypatch)
    measured(machine, [FakeModel(machine, str(number)) for number in range(3)], 1000)
    assert {len(machine.visits(str(number))) for number in range(3)} == {8}
    assert machine.last_answers() == dict.fromkeys("012")


def test_budget_favours_uncertain_and_cheap_models(monkeypatch):
    """Optimal is a number of visits in proportion to noise / sqrt(cost)."""
    machine = Machine(monkeypatch, protocol=PUBLISHED | {"visits": 1000, "repeats": 0})
    models = [
        FakeModel(machine, f"{name}{number}", noise, cost)
        for number in range(5)
        for name, noise, cost in [("calm", 0.02, 1.0), ("noisy", 0.2, 1.0), ("dear", 0.2, 16.0)]
    ]
    measured(machine, models, 2000)
    counts = {name: sum(name in visit["key"] for visit in machine.visits()) for name in ("calm", "noisy", "dear")}
    assert 2 < counts["noisy"] / counts["dear"] < 6
    assert counts["calm"] < counts["noisy"] / 3


def error_of(machine, models):
    """Return the root mean square error of the models' mean log latencies, whose true value is 0."""
    means = [sum(math.log(median / 1e9) for median, _ in model.visits) / len(model.visits) for model in models]
    return math.sqrt(sum(mean**2 for mean in means) / len(means))


def test_adaptive_budget_beats_even_rounds_of_equal_time(monkeypatch):
    protocol = PUBLISHED | {"visits": 1000, "repeats": 0}

    def error(order, seed):
        machine = Machine(monkeypatch, protocol=protocol)
        kinds = [(0.01, 1.0), (0.02, 2.0), (0.3, 0.5), (0.05, 4.0)]
        models = [FakeModel(machine, f"{seed}-{n}", *kinds[n % 4]) for n in range(24)]
        monkeypatch.setattr(budget, "next_round", order)
        measured(machine, models, 400, seed)
        return error_of(machine, models)

    informed = sum(error(next_round, seed) for seed in range(10))
    even = sum(error(lambda candidates: range(len(candidates)), seed) for seed in range(10))
    assert informed < 0.85 * even


def test_next_run_continues_where_the_last_ended(monkeypatch):
    machine = Machine(monkeypatch)
    models = [FakeModel(machine, str(number), noise=0.01) for number in range(10)]
    measured(machine, models, 15)
    later = [FakeModel(machine, m.key, visits=m.visits, answered=len(m.visits)) for m in models]
    measured(machine, later, 15)
    for model in models:
        made = machine.visits(model.key)
        assert [visit["visit"] for visit in made] == list(range(len(made)))
    assert len(machine.visits()) == 30
    assert {len(machine.visits(model.key)) for model in models} <= {2, 3, 4, 5}


@pytest.mark.parametrize(("budget_s", "visits"), [(0, 0), (8, 0), (9, 1), (40, 4)])
def test_what_can_wait_is_begun_after_two_visits_of_all_others(monkeypatch, budget_s, visits):
    machine = Machine(monkeypatch)
    models = [FakeModel(machine, str(number), can_wait=number > 3) for number in range(6)]
    measured(machine, models, budget_s)
    assert min(len(model.visits) for model in models[:4]) >= (2 if budget_s else 1)
    assert min(len(model.visits) for model in models[4:]) >= visits - 1
    assert max(len(model.visits) for model in models[4:]) >= visits
    assert {model.key for model in models if model.visits} == machine.last_answers().keys()


def test_answer_contains_all_visits_so_far(monkeypatch):
    machine = Machine(monkeypatch)
    measured(machine, [FakeModel(machine, str(number), noise=0.05) for number in range(4)], 13)
    for number in "0123":
        events = [event for event, values in machine.answers if values["key"] == number]
        assert events[-1] == "measurement"
        assert events.index("measurement") == events.index("visit") + 1


def test_models_make_room_for_each_other(monkeypatch):
    machine = Machine(monkeypatch, memory=8 * GIB)
    models = [FakeModel(machine, str(number)) for number in range(12)]
    measured(machine, models, 24)
    assert machine.most_held <= 5
    assert {len(model.visits) for model in models} == {2}
    assert all(model.loads == 2 for model in models[:1])


@pytest.mark.parametrize("status", ["failed", "out_of_memory", "crashed"])
def test_failure_is_answered_and_affects_no_other(monkeypatch, status):
    machine = Machine(monkeypatch)
    events = [status] * 2 if status == "out_of_memory" else [status]
    models = [FakeModel(machine, "bad", events=events), *[FakeModel(machine, str(number)) for number in range(3)]]
    measured(machine, models, 6)
    statuses = {v["key"]: v["status"] for event, v in machine.answers if event == "measurement"}
    assert statuses == {"bad": status} | dict.fromkeys("012", "measured")


def test_soak_needs_remaining_budget(monkeypatch):
    protocol = PUBLISHED | {"visits": 2, "repeats": 0}
    for budget_s, complete in [(100, 3), (7, 1)]:
        machine = Machine(monkeypatch, protocol=protocol, soak_s=5)
        measured(machine, [FakeModel(machine, str(number)) for number in range(3)], budget_s)
        ends = list(machine.last_answers().values())
        assert (ends.count(None), ends.count("budget")) == (complete, 3 - complete)
