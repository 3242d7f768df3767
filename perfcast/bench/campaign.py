"""A campaign: measure what the store lacks of a list of exports on a target."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from perfcast.bench.calibrations import calibration_name, ratio_in_words
from perfcast.bench.environment import differing, in_words
from perfcast.bench.plans import plan_entry, plan_of, programs_of
from perfcast.bench.result_collector import ResultCollector, say
from perfcast.bench.retry import RetryPolicy
from perfcast.bench.tasks import Task, device_factors, tasks_of
from perfcast.errors import BenchmarkError, BusyError, LinkError, NewerRecordError, StoreError
from perfcast.runner.protocol import fingerprint_of
from perfcast.storage import digest_of_json
from perfcast.text import format_duration, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from perfcast.bench.record import MeasurementStore
    from perfcast.bench.target import Target
    from perfcast.bench.transport import Device, Probe, Transport
    from perfcast.bench.visits import Visits
    from perfcast.export.artifacts import ArtifactStore
    from perfcast.export.exports import Export
    from perfcast.progress import Advance, Progress


_Answer = TypeVar("_Answer")
_MAX_LENGTH = 60
_BEFORE = "the machine that measured for this store before"
_TRIES = 3
"""How often a new machine is timed before it counts as another one: of all that agree, one block of times in a hundred
does not, see `calibrations.Speed`."""


@dataclass(frozen=True)
class _Part:
    """What a campaign has to do under one factor set."""

    campaign: Campaign
    probe: Probe
    tasks: list[Task]
    missing: list[Task]


@dataclass(frozen=True)
class Pace:
    """How long a part may take, and what is known of how calm the device is.

    Attributes:
        deadline: by `time.monotonic`, None without a budget.
        history: how many visits of settled measurements were calm, and how many there are.
    """

    deadline: float | None = None
    history: tuple[int, int] = (0, 0)

    def left_s(self) -> float | None:
        """Return the rest of the budget."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


@dataclass(frozen=True)
class Campaign:
    """What measures on one target.

    Attributes:
        target: its description.
        transport: leads to its devices.
        artifacts: store of what is measured.
        measurements: store of what comes of it.
        budget_s: how long to measure, None for as long as the protocol takes. Each model is visited once at least.
        urgent_replicate: repetitions up to this one are visited once at least, too; later ones where there is time.
    """

    target: Target
    transport: Transport
    artifacts: ArtifactStore
    measurements: MeasurementStore
    budget_s: float | None = None
    urgent_replicate: int = 0

    def measure(self, exports: list[Export], progress: Progress, description: str) -> list[str]:
        """Measure each export under each factor set unless the store has it; return the keys of all, in order.

        Under a budget, the store may lack repetitions in the end.

        One factor set comes after the other, since what is varied may need another runtime. Each visit is stored as
        soon as it is made, so that an interruption loses the one in flight; each measurement once its last visit is.
        Under a budget, each model gets a measurement after its first visit; the next call visits it further, and
        replaces that.
        While another campaign measures on the device, whatever its store, this one waits; what that one stored here
        is not measured again. A device that is lost on the way is waited for. What is unusual is said on the error
        stream, a line each: damaged files, and measurements that there are in other environments.

        Raises:
            BenchmarkError: the runner ended early, or answered what it should not.
            LinkError: the device was lost, and did not come back in time.
            StoreError: something cannot be stored, such as where the disk is full; what was stored stays.
        """
        with self.transport.claim() as device:
            parts = self._begun(device, exports)
            tasks = [task for part in parts for task in part.tasks]
            missing = sum(len(part.missing) for part in parts)
            if missing:
                self.measurements.sweep()
                with progress(len(tasks) * self.target.protocol.visits, description) as advance:
                    advance((len(tasks) - missing) * self.target.protocol.visits)
                    self._finish_parts(parts, device, exports, advance)
        return [task.key for task in tasks]

    def parts(self) -> list[Campaign]:
        """Return this campaign once per factor set, each with that one alone."""
        return [replace(self, target=target) for target in self.target.parts()]

    def parts_in_environments(self) -> Iterator[tuple[Campaign, dict[str, Any]]]:
        """Yield each of `parts` and its environment; the target is asked once per toolchain and power mode.

        Raises:
            BenchmarkError: the target does not answer.
        """
        return self._asked(Campaign.environment)

    def environment(self) -> dict[str, Any]:
        """Return the target's environment, with the settings that are asked for; of a campaign of one factor set.

        Raises:
            BenchmarkError: the target does not answer.
        """
        return self.transport.probe(self.target).environment

    def missing(self, tasks: Iterable[Task]) -> list[Task]:
        """Return the measurements that the store lacks."""
        limit = self.target.time_limit_s
        return [task for task in tasks if not self.measurements.is_settled(task.key, limit)]

    def tasks(self, exports: list[Export], environment: dict[str, Any]) -> list[Task]:
        """Return the measurements that exports ask for in an environment: each once, then the repetitions of some.

        Raises:
            BenchmarkError: the environment does not say which version of the toolchain there is.
        """
        return tasks_of(exports, self.target, self.measurements.fingerprints.of(environment))

    def _begun(self, device: Device, exports: list[Export]) -> list[_Part]:
        """Return what there is to do under each factor set; the device is asked what it is only where that differs."""
        begun = []
        for part, probe in self._asked(lambda part: part._admitted(device)):
            tasks = part.tasks(exports, probe.environment)
            begun.append(_Part(part, probe, tasks, part.missing(tasks)))
        return begun

    def _asked(self, ask: Callable[[Campaign], _Answer]) -> Iterator[tuple[Campaign, _Answer]]:
        """Yield each part and what its device answers, which depends on the toolchain and on factors that are set."""
        answers: dict[str, _Answer] = {}
        for part in self.parts():
            asked = digest_of_json([part.target.factors["toolchain"], part.target.all_settings])
            if asked not in answers:
                answers[asked] = ask(part)
            yield part, answers[asked]

    def _finish_parts(self, parts: list[_Part], device: Device, exports: list[Export], advance: Advance) -> None:
        """Measure what the store lacks under each factor set, each with its share of the time that is left."""
        end = None if self.budget_s is None else time.monotonic() + self.budget_s
        for index, part in enumerate(parts):
            now, left = time.monotonic(), sum(len(other.missing) for other in parts[index:])
            deadline = None if end is None or not left else now + (end - now) * len(part.missing) / left
            part.campaign._finish(part, device, exports, deadline, advance)
        if end is not None:
            self._say_what_is_left([task for part in parts for task in part.tasks], time.monotonic() - end)

    def _say_what_is_left(self, tasks: list[Task], over_s: float) -> None:
        if over_s > 0.1 * (self.budget_s or 0):
            say(f"the budget was exceeded by {format_duration(over_s)}: each model is visited once at least")
        if left := len(self.missing(tasks)):
            say(f"the budget is spent before {left} of {len(tasks)} measurements are complete; run again to continue")

    def _finish(
        self, part: _Part, device: Device, exports: list[Export], deadline: float | None, advance: Advance
    ) -> None:
        """Measure what the store lacks under this campaign's factor set."""
        if part.missing:
            fingerprint = self.measurements.fingerprints.of(part.probe.environment)
            self._say_what_is_damaged(part.missing)
            self._say_what_differs(exports, part.missing, fingerprint)
            pace = Pace(deadline, self._history(part))
            self._insist(device, part.probe, self._collector(part.missing, fingerprint, device.name), pace, advance)

    def _history(self, part: _Part) -> tuple[int, int]:
        """Return how many visits of settled measurements were calm, and how many there are."""
        settled = {task.key for task in part.tasks} - {task.key for task in part.missing}
        visits = [visit for key in settled for visit in self.measurements.measurement(key)["visits"]]
        return sum(not visit["disturbed"] for visit in visits), len(visits)

    def _admitted(self, device: Device) -> Probe:
        """Ask a device what it is; where the machine is new, decide whose measurements are as good as its own."""
        probe, fingerprints = self._probe(device), self.measurements.fingerprints
        if not fingerprints.is_new(probe.environment):
            return probe
        name, ratio = self._calibration_name(fingerprint_of(probe.environment)), None
        times = [*probe.calibration_ns]
        for tries in range(1, _TRIES + 1):
            if (ratio := fingerprints.admit(probe.environment, name, times)) is None:
                break
            if tries < _TRIES:
                times += self._probe(device).calibration_ns
        else:
            fingerprints.note(fingerprint_of(probe.environment), name, times)
        self._say_which_machine(probe.environment, ratio)
        return probe

    def _say_which_machine(self, environment: dict[str, Any], ratio: float | None) -> None:
        own, used = fingerprint_of(environment), self.measurements.fingerprints.of(environment)
        where = one_line(environment["machine"].get("host") or self.target.name, _MAX_LENGTH)
        if own != used:
            say(f"{where}: as fast as {_BEFORE}: its measurements are used")
        elif ratio is not None:
            say(f"{where}: {ratio_in_words(ratio)} than {_BEFORE}: measuring again")

    def _calibration_name(self, fingerprint: dict[str, Any]) -> str:
        device = device_factors(self.target, fingerprint)["device"]
        return calibration_name(device, self.target.factors["threads"])

    def _probe(self, device: Device) -> Probe:
        """Ask a device what it is and how fast; while somebody else measures there, wait."""
        retry = RetryPolicy(self.target.retry_timeout_s)
        while True:
            try:
                return device.probe(self.target, calibrated=True)
            except BusyError as error:
                retry.after(error, None)

    def _insist(
        self, device: Device, probe: Probe | None, collector: ResultCollector, pace: Pace, advance: Advance
    ) -> None:
        """Run until all is measured; where the device is lost or taken, wait and go on from what is stored."""
        retry = RetryPolicy(self.target.retry_timeout_s)
        while True:
            try:
                probe = probe or device.probe(self.target)
                self._quarantine(device, probe, collector)
                collector.settle_unsupported(probe.environment)
                self._run(device, collector, pace, advance)
                return
            except (LinkError, BusyError) as error:
                retry.after(error, (len(collector.pending), collector.visits_done))
                probe, collector = None, collector.for_next_run()

    def _quarantine(self, device: Device, probe: Probe, collector: ResultCollector) -> None:
        """Look whether a model froze the device; what did so twice is on record and not tried again."""
        if task := collector.quarantine(probe.boot, probe.environment):
            if task.key in collector.pending:
                say(f"{task.model}: the device went down while it was measured; it is retried once, at the end")
            else:
                say(f"{task.model}: the device went down again while it was measured; it is not retried")

    def _run(self, device: Device, collector: ResultCollector, pace: Pace, advance: Advance) -> None:
        if not collector.pending:
            return
        asked = len(collector.pending)
        advanced = collector.visits_done
        advance(advanced)
        try:
            for answer in device.run(self._plan(collector, pace), self._programs(collector)):
                collector.collect(answer)
                done = (asked - len(collector.pending)) * self.target.protocol.visits + collector.visits_done
                advance(max(0, done - advanced))  # Less, where a model starts over.
                advanced = max(done, advanced)
        except LinkError:
            raise  # Who had the device stays on record.
        except BaseException:
            self.measurements.freezes.end(device.name)
            raise
        self.measurements.freezes.end(device.name)
        lacking = [key for key, task in collector.pending.items() if not self._may_end_without(task, pace)]
        if lacking:
            raise BenchmarkError(f"the runner ended with {len(lacking)} of {asked} models not measured")

    def _may_end_without(self, task: Task, pace: Pace) -> bool:
        return pace.deadline is not None and (self._can_wait(task) or self._is_answered(task.key))

    def _can_wait(self, task: Task) -> bool:
        return task.replicate > self.urgent_replicate

    def _is_answered(self, key: str) -> bool:
        """Return whether the store has a latency, if only a provisional one."""
        record = self.measurements.records.find(key)
        return record is not None and record["status"] == "measured"

    def _collector(self, missing: list[Task], fingerprint: dict[str, Any], device: str) -> ResultCollector:
        pending = {task.key: task for task in missing}
        visits = {task.key: visits for task in missing if (visits := self._visits_of(task))}
        return ResultCollector(self.target, self.artifacts, self.measurements, fingerprint, device, pending, visits)

    def _visits_of(self, task: Task) -> Visits | None:
        """Return the visits that a model has had so far; where they are damaged, say so and go without."""
        try:
            visits = self.measurements.visits.find(task.key)
            if visits:
                self.measurements.environment(visits.environment)
        except NewerRecordError:
            raise
        except StoreError as error:
            say(f"{error}: {task.model} starts over")
            return None
        return visits

    def _say_what_is_damaged(self, missing: list[Task]) -> None:
        for task in missing:
            if damage := self.measurements.damage_of(task.key):
                say(f"{damage}: {task.model} is measured again")

    def _say_what_differs(self, exports: list[Export], missing: list[Task], fingerprint: dict[str, Any]) -> None:
        """Report where what is missing was measured in another environment: the one that had most of it."""
        wanted = {(task.model, task.replicate) for task in missing}
        known = []
        for other in self.measurements.fingerprints.all():
            if other != fingerprint and self.target.factors["toolchain"] in other["software"]:
                before = tasks_of(exports, self.target, other)
                count = sum(self.measurements.has(t.key) for t in before if (t.model, t.replicate) in wanted)
                known.append((count, in_words(differing(other, fingerprint))))
        count, changed = max(known, default=(0, ""))
        if count:
            say(f"{changed}: measuring again ({count} of {len(missing)} were measured in the other environment)")

    def _plan(self, collector: ResultCollector, pace: Pace) -> dict[str, Any]:
        environments = {visits.environment for visits in collector.visits.values()}
        digest = digest_of_json(collector.fingerprint)
        calibrated = self._calibration_name(collector.fingerprint)
        entries = [self._plan_entry(task, collector.visits.get(task.key)) for task in collector.pending.values()]
        return plan_of(self.target, entries) | {
            "environments": {name: self.measurements.environment(name) for name in sorted(environments)},
            "calibration_ns": self.measurements.fingerprints.calibration_ns(digest, calibrated),
            "history": pace.history,
            "budget_s": pace.left_s(),
        }

    def _plan_entry(self, task: Task, visits: Visits | None) -> dict[str, Any]:
        return plan_entry(task.key, task.export, task.program) | {
            "resume": visits.to_resume() if visits else None,
            "alone": self.measurements.freezes.count(task.key) > 0,
            "answered": self._is_answered(task.key),
            "can_wait": self._can_wait(task),
        }

    def _programs(self, collector: ResultCollector) -> dict[str, Path]:
        return programs_of(self.artifacts, [task.export for task in collector.pending.values()], self.target)
