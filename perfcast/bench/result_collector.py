"""Takes a runner's answers: each must be one that is due, and is stored before the runner goes on."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perfcast.bench.calibrations import calibration_name
from perfcast.bench.environment import differing, in_words
from perfcast.bench.tasks import device_factors
from perfcast.bench.visits import Visits
from perfcast.errors import BenchmarkError
from perfcast.runner.power import OFF
from perfcast.runner.protocol import (
    BUDGET,
    DONE,
    ENVIRONMENT,
    MAX_FREEZES,
    MEASUREMENT,
    NO_CALM,
    PEAKS,
    RUNNER_VERSION,
    VISIT,
    VISITING,
)
from perfcast.storage import digest_of_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.bench.record import MeasurementStore
    from perfcast.bench.target import Target
    from perfcast.bench.tasks import Task
    from perfcast.export.artifacts import ArtifactStore

_INVALID = frozenset({"failed", "rejected"})
_DEVICE_FACTS = ("peaks", "clock_resolution_ns", "power")


@dataclass
class ResultCollector:
    """What has come of one run of the runner.

    Attributes:
        target: where it measures.
        artifacts: what it measures.
        store: where the answers go.
        fingerprint: under which the tasks' keys say that it measures.
        device: its name.
        pending: the tasks that are not done, by key.
        visits: those that pending models have had so far, by key.
    """

    target: Target
    artifacts: ArtifactStore
    store: MeasurementStore
    fingerprint: dict[str, Any]
    device: str
    pending: dict[str, Task]
    visits: dict[str, Visits]
    _environment: str = ""
    _boot: str | None = None
    _device_facts: dict[str, Any] = field(default_factory=dict)
    _ended: bool = False
    _has_said_no_calm: bool = False

    @property
    def visits_done(self) -> int:
        """How many visits pending models have had, of those that the protocol plans for."""
        return sum(min(len(visits.made), self.target.protocol.visits) for visits in self.visits.values())

    def collect(self, answer: dict[str, Any]) -> None:
        """Check an answer and store what it says.

        Args:
            answer: as `perfcast.runner.shapes` has it.

        Raises:
            BenchmarkError: it is not due, or what it says cannot be; one line.
            StoreError: it cannot be stored, or the artifact that failed is damaged.
        """
        event = answer["event"]
        if self._ended or (event == ENVIRONMENT) is bool(self._environment):
            raise BenchmarkError(f"the runner answered {event!r} unexpectedly")
        takers = {
            ENVIRONMENT: self._take_environment,
            PEAKS: self._take_peaks,
            VISITING: self._take_visiting,
            VISIT: self._take_visit,
            MEASUREMENT: self._take_measurement,
            DONE: self._take_end,
        }
        if event not in takers:
            raise BenchmarkError(f"the runner answered {event!r} instead of a measurement")
        takers[event](answer)

    def for_next_run(self) -> ResultCollector:
        """Return the collector of another run, of what is still pending."""
        return ResultCollector(
            self.target, self.artifacts, self.store, self.fingerprint, self.device, self.pending, self.visits
        )

    def quarantine(self, boot: str | None, environment: dict[str, Any]) -> Task | None:
        """Look whether a model froze the device; what did so twice is on record, and no longer pending.

        Args:
            boot: what the device's start is called now.
            environment: the device's.

        Returns:
            that model's measurement, None where the device has run on.

        Raises:
            StoreError: something cannot be stored.
        """
        key = self.store.freezes.settle(self.device, boot)
        if key is None or key not in self.pending:
            return None
        task = self.pending[key]
        if self.store.freezes.count(key) >= MAX_FREEZES:
            self.give_up(task, environment)
        return task

    def give_up(self, task: Task, environment: dict[str, Any]) -> None:
        """Put on record that a model froze the device, whose environment is ``environment``; it is no longer pending.

        Raises:
            StoreError: it cannot be stored.
        """
        self._settle_unmeasured(task, environment, "froze", "the device went down twice while it was measured")

    def settle_unsupported(self, environment: dict[str, Any]) -> None:
        """Put on record which models have no program that the toolchain runs; they are no longer pending.

        Raises:
            StoreError: it cannot be stored.
        """
        for task in list(self.pending.values()):
            if task.program.digest is None:
                self._settle_unmeasured(task, environment, "unsupported", task.program.reason)

    def _settle_unmeasured(self, task: Task, environment: dict[str, Any], status: str, reason: str) -> None:
        digest = self.store.put_environment(environment)
        nothing = {"memory": {"peak_bytes": None}, "timing": None, "sustained": None, "computed_on": None}
        answer = {"status": status, "reason": reason} | nothing
        self._settle(task, self.visits.get(task.key) or Visits(digest), answer, digest)

    def _take_visiting(self, answer: dict[str, Any]) -> None:
        self.store.freezes.begin(self.device, self._pending(answer["key"]).key, self._boot)

    def _take_end(self, _: dict[str, Any]) -> None:
        self._ended = True

    def _take_environment(self, answer: dict[str, Any]) -> None:
        if answer["runner_version"] != RUNNER_VERSION:
            raise BenchmarkError(
                f"the runner is of version {answer['runner_version']}, not {RUNNER_VERSION}; update it on the device"
            )
        changed = differing(self.fingerprint, self.store.fingerprints.of(answer["environment"]))
        if changed:
            raise BenchmarkError(f"the device changed while it was asked to measure ({in_words(changed)}); run again")
        self._say_what_starts_over(answer["environment"])
        self._note_calibration(answer["calibration_ns"] or [])
        self._boot = answer["boot"]
        self._environment = self.store.put_environment(answer["environment"])

    def _say_what_starts_over(self, environment: dict[str, Any]) -> None:
        digest = digest_of_json(environment)
        others = [visits.environment for visits in self.visits.values() if visits.environment != digest]
        if others:
            changed = in_words(differing(self.store.environment(others[-1]), environment))
            say(f"{changed}: models that are partly measured start over ({len(others)})")

    def _take_peaks(self, answer: dict[str, Any]) -> None:
        if self._device_facts:
            raise BenchmarkError("the runner reported the device's peaks twice")
        self._refuse_unasked_power(answer)
        self._device_facts = {name: answer[name] for name in _DEVICE_FACTS if name in answer}

    def _refuse_unasked_power(self, answer: Mapping[str, Any]) -> None:
        if "power" in answer and self.target.power == OFF:
            raise BenchmarkError("the runner reported power, which was not requested")

    def _take_visit(self, answer: dict[str, Any]) -> None:
        self.store.freezes.end(self.device)
        task = self._pending(answer["key"])
        visits = self._visits_here(task.key)
        self._check_visit(answer, task, due=len(visits.made))
        visit = {name: value for name, value in answer.items() if name not in ("event", "key")}
        self.visits[task.key] = visits.followed_by(visit)
        self.store.visits.put(task.key, self.visits[task.key])
        self._note_calibration([answer["calibration"]["before_ns"], answer["calibration"]["after_ns"]])

    def _note_calibration(self, times_ns: list[int]) -> None:
        if times_ns:
            device = device_factors(self.target, self.fingerprint)["device"]
            name = calibration_name(device, self.target.factors["threads"])
            self.store.fingerprints.note(self.fingerprint, name, times_ns)

    def _visits_here(self, key: str) -> Visits:
        """Return the visits of a model in this run's environment: those of another one do not count."""
        visits = self.visits.get(key)
        return visits if visits and visits.environment == self._environment else Visits(self._environment)

    def _check_visit(self, answer: dict[str, Any], task: Task, due: int) -> None:
        self._refuse_unasked_power(answer)
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
        visits, status = self._visits_here(task.key), answer["status"]
        stopped_by = answer.get("stopped_by")
        required = 1 if stopped_by == BUDGET else self.target.protocol.required_visits
        if status == "measured" and len(visits.made) < required:
            raise BenchmarkError(f"the runner ended {task.model} after {len(visits.made)} visits, which are too few")
        if (answer["sustained"] is not None) > (self.target.soak_s is not None):
            raise BenchmarkError(f"the runner reported a sustained latency of {task.model}, which was not requested")
        if status in _INVALID:
            # A program that was damaged meanwhile says nothing of the model.
            self.artifacts.verify(task.export.artifact, [task.program])
        if stopped_by == NO_CALM:
            self._say_no_calm(task, visits)
        self._settle(task, visits, answer, self._environment)

    def _say_no_calm(self, task: Task, visits: Visits) -> None:
        if not self._has_said_no_calm:
            disturbed = sum(visit["disturbed"] for visit in visits.made)
            say(
                "this machine does not become calm: disturbed visits are no longer repeated "
                f"({task.model}: {disturbed} of {len(visits.made)})"
            )
        self._has_said_no_calm = True

    def _settle(self, task: Task, visits: Visits, answer: Mapping[str, Any], environment: str) -> None:
        """Store what became of a model, which then is no longer pending unless it is measured further."""
        self.store.put(self._record(task, visits, answer, environment))
        if answer.get("stopped_by") == BUDGET:
            return
        del self.pending[task.key]
        self.visits.pop(task.key, None)

    def _pending(self, key: str) -> Task:
        if key not in self.pending:
            raise BenchmarkError(f"the runner answered for a model that was not requested: {key!r}")
        return self.pending[key]

    def _record(self, task: Task, visits: Visits, answer: Mapping[str, Any], environment: str) -> dict[str, Any]:
        measured = answer["status"] == "measured"
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return {
            "key": task.key,
            "artifact": task.export.artifact,
            "model": task.model,
            "target": self.target.name,
            "factors": task.factors,
            "protocol": self.target.protocol.to_dict(),
            "settings": self.target.settings,
            "soak_s": self.target.soak_s,
            "replicate": task.replicate,
            "time_limit_s": self.target.time_limit_s,
            "environment": environment,
            "fingerprint": digest_of_json(self.fingerprint),
            "started_at": visits.made[0]["started_at"] if visits.made else now,
            "visits": visits.about(),
            "stopped_by": answer.get("stopped_by"),
            "samples": visits.samples() if measured else None,
            **({"peaks": None, "clock_resolution_ns": None} | self._device_facts),
            **{name: answer[name] for name in ("memory", "timing", "sustained", "computed_on", "status", "reason")},
        }


def say(line: str) -> None:
    """Tell whoever watches the campaign."""
    print(line, file=sys.stderr)  # noqa: T201
