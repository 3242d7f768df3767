"""Takes a runner's answers: each has to be one that is due, and is stored before the runner goes on."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.bench.environment import conditions_of, differing, in_words
from perfcast.bench.freezes import TRIES
from perfcast.bench.record import SCHEMA_VERSION
from perfcast.bench.visits import Visits
from perfcast.errors import BenchmarkError
from perfcast.storage import digest_of_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.bench.record import MeasurementStore
    from perfcast.bench.target import Target
    from perfcast.bench.tasks import Task
    from perfcast.export.artifacts import ArtifactStore

RUNNER_VERSION = 4
_UNBELIEVED = frozenset({"failed", "rejected"})


@dataclass
class ResultCollector:
    """What has come of one run of the runner.

    Attributes:
        target: where it measures.
        artifacts: what it measures.
        store: where the answers go.
        conditions: under which the tasks' keys say that it measures.
        device: its name.
        pending: the tasks that are not done, by key.
        visits: those that pending models have had so far, by key.
    """

    target: Target
    artifacts: ArtifactStore
    store: MeasurementStore
    conditions: dict[str, Any]
    device: str
    pending: dict[str, Task]
    visits: dict[str, Visits]
    _context: str = ""
    _boot: str | None = None
    _limits: dict[str, Any] | None = None
    _ended: bool = False

    @property
    def visits_done(self) -> int:
        """How many visits pending models have had, of those that the protocol plans for."""
        return sum(min(len(visits.made), self.target.protocol.visits) for visits in self.visits.values())

    def take(self, answer: dict[str, Any]) -> None:
        """Check an answer and store what it says.

        Args:
            answer: as `perfcast/schemas/answer.schema.yaml` has it.

        Raises:
            BenchmarkError: it is not due, or what it says cannot be; one line.
            StoreError: it cannot be stored, or the artifact that failed is damaged.
        """
        event = answer["event"]
        if self._ended or (event == "context") is bool(self._context):
            raise BenchmarkError(f"the runner answered {event!r} where something else was due")
        takers = {
            "context": self._take_context,
            "limits": self._take_limits,
            "visiting": self._take_visiting,
            "visit": self._take_visit,
            "measurement": self._take_measurement,
            "done": self._take_end,
        }
        if event not in takers:
            raise BenchmarkError(f"the runner answered {event!r} where it should measure")
        takers[event](answer)

    def anew(self) -> ResultCollector:
        """Return the collector of another run, of what is still pending."""
        return ResultCollector(
            self.target, self.artifacts, self.store, self.conditions, self.device, self.pending, self.visits
        )

    def quarantine(self, boot: str | None, context: dict[str, Any]) -> Task | None:
        """Look whether a model froze the device; what did so twice is on record, and no longer pending.

        Args:
            boot: what the device's start is called now.
            context: the device's.

        Returns:
            that model's measurement, None where the device has run on.

        Raises:
            StoreError: something cannot be stored.
        """
        key = self.store.freezes.settle(self.device, boot)
        if key is None or key not in self.pending:
            return None
        task = self.pending[key]
        if self.store.freezes.count(key) >= TRIES:
            self.give_up(task, context)
        return task

    def give_up(self, task: Task, context: dict[str, Any]) -> None:
        """Put on record that a model froze the device, whose context is ``context``; it is no longer pending.

        Raises:
            StoreError: it cannot be stored.
        """
        digest = self.store.put_context(context)
        verdict = {"verdict": "froze", "reason": "the device went down twice while it was measured"}
        nothing = {"memory": {"peak_bytes": None}, "timing": None, "sustained": None}
        self._settle(task, self.visits.get(task.key) or Visits(digest), verdict | nothing, digest)

    def _take_visiting(self, answer: dict[str, Any]) -> None:
        self.store.freezes.begin(self.device, self._pending(answer["key"]).key, self._boot)

    def _take_end(self, _: dict[str, Any]) -> None:
        self._ended = True

    def _take_context(self, answer: dict[str, Any]) -> None:
        if answer["runner_version"] != RUNNER_VERSION:
            raise BenchmarkError(
                f"the runner is of version {answer['runner_version']}, not {RUNNER_VERSION}; update it on the device"
            )
        changed = differing(self.conditions, conditions_of(answer["context"]))
        if changed:
            raise BenchmarkError(f"the device changed while it was asked to measure ({in_words(changed)}); run again")
        self._say_what_starts_over(answer["context"])
        self._boot = answer["boot"]
        self._context = self.store.put_context(answer["context"])

    def _say_what_starts_over(self, context: dict[str, Any]) -> None:
        digest = digest_of_json(context)
        others = [visits.context for visits in self.visits.values() if visits.context != digest]
        if others:
            changed = in_words(differing(self.store.context(others[-1]), context))
            say(f"{changed}: models that were begun start over ({len(others)})")

    def _take_limits(self, answer: dict[str, Any]) -> None:
        if self._limits is not None:
            raise BenchmarkError("the runner answered a second time what the device can do at most")
        self._limits = answer["limits"]

    def _take_visit(self, answer: dict[str, Any]) -> None:
        self.store.freezes.end(self.device)
        task = self._pending(answer["key"])
        visits = self._visits_here(task.key)
        self._check_visit(answer, task, due=len(visits.made))
        visit = {name: value for name, value in answer.items() if name not in ("event", "key")}
        self.visits[task.key] = visits.followed_by(visit)
        self.store.visits.put(task.key, self.visits[task.key])
        reference = min(answer["reference"]["before_ns"], answer["reference"]["after_ns"])
        self.store.conditions.note(self.conditions, task.factors["device"], reference)

    def _visits_here(self, key: str) -> Visits:
        """Return the visits of a model in this run's context: those of another one do not count."""
        visits = self.visits.get(key)
        return visits if visits and visits.context == self._context else Visits(self._context)

    def _check_visit(self, answer: dict[str, Any], task: Task, due: int) -> None:
        protocol = self.target.protocol
        if answer["visit"] != due or due >= protocol.max_visits:
            expected = f"visit {due}" if due < protocol.max_visits else "no further visit"
            raise BenchmarkError(f"the runner answered visit {answer['visit']} of {task.model}: {expected} was due")
        lengths = {len(values) for values in answer["samples"].values() if values is not None}
        if lengths != {protocol.iterations_per_visit}:
            raise BenchmarkError(
                f"the runner answered lists of {sorted(lengths)} samples of {task.model}, "
                f"where {protocol.iterations_per_visit} were due"
            )
        warmup = protocol.discard_per_visit
        if answer["samples"]["discarded"] != [index < warmup for index in range(protocol.iterations_per_visit)]:
            raise BenchmarkError(f"the runner discarded other samples of {task.model} than the first {warmup}")

    def _take_measurement(self, answer: dict[str, Any]) -> None:
        self.store.freezes.end(self.device)
        task = self._pending(answer["key"])
        visits, verdict = self._visits_here(task.key), answer["verdict"]
        if verdict == "measured" and len(visits.made) < self.target.protocol.min_visits:
            raise BenchmarkError(f"the runner ended {task.model} after {len(visits.made)} visits, which are too few")
        if (answer["sustained"] is not None) > (self.target.sustained_s is not None):
            raise BenchmarkError(f"the runner answered how {task.model} lasts, which it was not asked for")
        if verdict in _UNBELIEVED:
            self.artifacts.verify(task.export.artifact)  # A graph that was damaged meanwhile says nothing of the model.
        self._settle(task, visits, answer, self._context)

    def _settle(self, task: Task, visits: Visits, answer: Mapping[str, Any], context: str) -> None:
        """Store what became of a model, which then is no longer pending."""
        self.store.put(self._record(task, visits, answer, context))
        del self.pending[task.key]
        self.visits.pop(task.key, None)

    def _pending(self, key: str) -> Task:
        if key not in self.pending:
            raise BenchmarkError(f"the runner answered for a model it was not asked for: {key!r}")
        return self.pending[key]

    def _record(self, task: Task, visits: Visits, answer: Mapping[str, Any], context: str) -> dict[str, Any]:
        measured = answer["verdict"] == "measured"
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return {
            "schema_version": SCHEMA_VERSION,
            "key": task.key,
            "artifact": task.export.artifact,
            "model": task.model,
            "target": self.target.name,
            "factors": task.factors,
            "protocol": self.target.protocol.to_dict(),
            "settings": self.target.settings,
            "sustained_s": self.target.sustained_s,
            "replicate": task.replicate,
            "time_limit_s": self.target.time_limit_s,
            "context": context,
            "conditions": digest_of_json(self.conditions),
            "started_at": visits.made[0]["started_at"] if visits.made else now,
            "visits": visits.about(),
            "samples": visits.samples() if measured else None,
            "limits": self._limits,
            **{name: answer[name] for name in ("memory", "timing", "sustained", "verdict", "reason")},
        }


def say(line: str) -> None:
    """Tell whoever watches the campaign."""
    print(line, file=sys.stderr)  # noqa: T201
