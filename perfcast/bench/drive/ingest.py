"""Bringing back what a device has measured from a drive."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.bench.conditions import conditions_of
from perfcast.bench.conversation import parse_answer
from perfcast.bench.drive.bundle import BUNDLE, KEPT, STARTER, task_id
from perfcast.bench.intake import Intake
from perfcast.bench.target import Target
from perfcast.bench.tasks import tasks_of, wanted
from perfcast.errors import BenchmarkError, DataError, StoreError, UsageError
from perfcast.export.stage import Export
from perfcast.storage import digest_of, read_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from perfcast.bench.record import MeasurementStore
    from perfcast.bench.tasks import Task
    from perfcast.export.artifacts import ArtifactStore

ANSWERS = "answers.jsonl"
_LONGEST_LINE = 1 << 28


@dataclass(frozen=True)
class Ingested:
    """What was brought back: measurements that are new here, those that there are in all, and those still missing."""

    new: int
    measured: int
    missing: int


def ingest(folder: Path, artifacts: ArtifactStore, measurements: MeasurementStore) -> Ingested:
    """Store what was measured with a bundle that was written from this store.

    What was brought back before is not stored again; a bundle may come back several times, each time with more.

    Raises:
        UsageError: the folder is none of this store's.
        DataError: an answer was changed, left out or moved; what stands before it is stored.
        BenchmarkError: an answer is not due, or is what no runner may say.
        StoreError: something cannot be stored.
    """
    bundle, name = _known_bundle(folder, artifacts.root)
    target = Target.from_dict(bundle["target"]["name"], bundle["target"]["description"])
    exports = [Export.from_dict(entry) for entry in bundle["exports"]]
    arrival = _Arrival(target, exports, artifacts, measurements, name)
    for answer in sealed_answers(folder / ANSWERS, name):
        arrival.take(answer)
    arrival.end()
    return Ingested(arrival.new, len(arrival.tasks) - arrival.missing, arrival.missing)


def _known_bundle(folder: Path, root: Path) -> tuple[dict[str, Any], str]:
    try:
        name = digest_of((folder / BUNDLE).read_bytes())
    except OSError as error:
        path = folder / BUNDLE
        raise UsageError(f"{path}: cannot be read ({error.strerror}); name a folder of `perfcast bundle`") from error
    kept = root / KEPT / f"{name}.json"
    if not kept.exists():
        raise UsageError(f"{folder}: was not written from the store {root}, or {BUNDLE} was changed")
    if digest_of(kept.read_bytes()) != name:
        raise StoreError(f"{kept}: the content does not match its digest")
    bundle: dict[str, Any] = read_json(kept)
    return bundle, name


def sealed_answers(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield the answers of a log whose first seal continues the bundle's ``name``.

    Raises:
        UsageError: there is no log.
        DataError: a seal does not fit; one line that names the first such line.
        BenchmarkError: an answer is what no runner may say.
    """
    seal = name
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); was `python3 {STARTER}` run?") from error
    with file:
        number = 0
        while line := file.readline(_LONGEST_LINE):
            number += 1
            try:
                entry = json.loads(line)
                text = entry["answer"]
                seal = hashlib.sha256((seal + text).encode()).hexdigest()
                fits = seal == entry["seal"]
            except (ValueError, KeyError, TypeError, RecursionError):
                fits = False
            if not fits:
                if not line.endswith(b"\n"):
                    return  # Cut off while it was written: the device measures it again.
                raise DataError(f"{path}, line {number}: was changed after it was measured; what stands before is kept")
            yield parse_answer(text)


class _Arrival:
    """Takes a drive's answers; each start of its runner is a run of its own."""

    def __init__(
        self,
        target: Target,
        exports: list[Export],
        artifacts: ArtifactStore,
        measurements: MeasurementStore,
        device: str,
    ) -> None:
        self.target, self.exports, self.artifacts, self.measurements = target, exports, artifacts, measurements
        self.device = f"drive {device}"
        self.tasks: dict[str, Task] = {}
        self.intake: Intake | None = None
        self.new = 0

    @property
    def missing(self) -> int:
        """How many measurements are not there yet; all where no answer came."""
        settled = sum(self._is_settled(task) for task in self.tasks.values())
        return (len(self.tasks) or len(wanted(self.exports, self.target))) - settled

    def take(self, answer: dict[str, Any]) -> None:
        """Store what an answer says."""
        if answer["event"] == "context":
            self._start(answer)
        if self.intake is None:
            raise BenchmarkError(f"the runner answered {answer['event']!r} where its context was due")
        if "key" in answer:
            if answer["key"] not in self.tasks:
                raise BenchmarkError(f"the runner answered for a model it was not asked for: {answer['key']!r}")
            answer = answer | {"key": self.tasks[answer["key"]].key}
            if answer["key"] not in self.intake.pending:
                return  # Measured, and brought back, before.
        before = len(self.intake.pending)
        self.intake.take(answer)
        self.new += before - len(self.intake.pending)

    def _start(self, answer: dict[str, Any]) -> None:
        conditions = conditions_of(answer["context"])
        tasks = tasks_of(self.exports, self.target, conditions)
        self.tasks = {task_id(task.export.artifact, task.replicate, self.target): task for task in tasks}
        pending = {task.key: task for task in tasks if not self._is_settled(task)}
        # The log holds all visits from the first one on, whatever of it was brought back before.
        visits = self.intake.visits if self.intake else {}
        left = len(pending)
        self.intake = Intake(self.target, self.artifacts, self.measurements, conditions, self.device, pending, visits)
        self.intake.quarantine(answer["boot"], answer["context"])
        self.new += left - len(self.intake.pending)

    def _is_settled(self, task: Task) -> bool:
        return self.measurements.is_settled(task.key, self.target.time_limit_s)

    def end(self) -> None:
        """Forget which model has the device."""
        self.measurements.freezes.end(self.device)
