"""Ingesting what a device has measured with an offline bundle."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.bench.calibrations import calibration_name
from perfcast.bench.offline.bundle import PART, kept_bundles, task_id
from perfcast.bench.result_collector import ResultCollector
from perfcast.bench.runner_process import parse_answer
from perfcast.bench.target import Target
from perfcast.bench.tasks import device_factors, tasks_of, wanted
from perfcast.errors import BenchmarkError, DataError, UsageError
from perfcast.export.exports import Export
from perfcast.runner.protocol import (
    ANSWERS,
    BUNDLE,
    BUNDLE_VERSION,
    ENDED,
    ENVIRONMENT,
    MAX_FREEZES,
    STARTED,
    STARTER,
    VISITING,
    answer_in,
    fingerprint_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from perfcast.bench.record import MeasurementStore
    from perfcast.bench.tasks import Task
    from perfcast.export.artifacts import ArtifactStore

_MAX_LINE_BYTES = 1 << 28


@dataclass(frozen=True)
class Ingested:
    """What was brought back: measurements that are new here, those that there are in all, and those still missing."""

    new: int
    measured: int
    missing: int


def ingest(folder: Path, artifacts: ArtifactStore, measurements: MeasurementStore) -> Ingested:
    """Store what was measured with a bundle that was written from this store, each part of it where it has several.

    What was brought back before is not stored again; a bundle may come back several times, each time with more.

    Raises:
        UsageError: the folder does not belong to this store.
        DataError: an answer was changed, left out or moved; what stands before it is stored.
        BenchmarkError: an answer is not due, or is what no runner may say.
        StoreError: something cannot be stored.
    """
    if parts := sorted(folder.glob(f"{PART}*")):
        found = [ingest(part, artifacts, measurements) for part in parts]
        return Ingested(*(sum(getattr(one, name) for one in found) for name in ("new", "measured", "missing")))
    bundle, name = _known_bundle(folder, artifacts.root)
    if bundle["schema_version"] != BUNDLE_VERSION:
        raise UsageError(
            f"{folder}: was written by another version of perfcast; write it again, or ingest with that one"
        )
    target = Target.from_dict(bundle["target"]["name"], bundle["target"]["description"])
    exports = [Export.from_dict(entry) for entry in bundle["exports"]]
    arrival = _Arrival(target, exports, artifacts, measurements, name)
    for answer in checked_answers(folder / ANSWERS, name):
        arrival.take(answer)
    arrival.end()
    return Ingested(arrival.new, len(arrival.tasks) - arrival.missing, arrival.missing)


def _known_bundle(folder: Path, root: Path) -> tuple[dict[str, Any], str]:
    path = folder / BUNDLE
    try:
        with _plain(path).open("rb") as file:
            name = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); name a folder of `perfcast bundle`") from error
    kept = kept_bundles(root)
    if not kept.has(name):
        raise UsageError(f"{folder}: is not a bundle of the store {root}, or its {BUNDLE} was changed")
    return kept.read(name)["bundle"], name


def checked_answers(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield the answers of a log whose first checksum continues the bundle's ``name``.

    Raises:
        UsageError: there is no log.
        DataError: a checksum does not fit; one line that names the first such line.
        BenchmarkError: an answer is what no runner may say.
    """
    checksum = name
    try:
        with _plain(path).open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE_BYTES), b""), start=1):
                if found := answer_in(line, checksum):
                    text, checksum = found
                    yield parse_answer(text)
                elif line.endswith(b"\n"):
                    what = "was changed after it was measured; what stands before is kept"
                    raise DataError(f"{path}, line {number}: {what}")
                else:
                    return  # Cut off while it was written: the device measures it again.
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror}); run `python3 {STARTER}` on the device first"
        ) from error


def _plain(path: Path) -> Path:
    """Return a path that nothing but a file is at: others may never end, or never begin."""
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: is not a regular file; name a folder of `perfcast bundle`")
    return path


class _Arrival:
    """Takes an offline bundle's answers; each start of its runner is a run of its own."""

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
        self.collector: ResultCollector | None = None
        self.environment: dict[str, Any] = {}
        self.freezes: Counter[str] = Counter()
        self.boot: str | None = None
        self.visiting: str | None = None
        self.new = 0

    @property
    def missing(self) -> int:
        """How many measurements are not there yet; all where no answer came."""
        settled = sum(self._is_settled(task) for task in self.tasks.values())
        return (len(self.tasks) or len(wanted(self.exports, self.target))) - settled

    def take(self, answer: dict[str, Any]) -> None:
        """Store what an answer says."""
        event = answer["event"]
        if event == STARTED:
            self._start(answer["boot"])
        elif event == ENDED:
            self.visiting = None
        elif event == ENVIRONMENT:
            self._enter(answer)
        elif self.collector is None:
            raise BenchmarkError(f"the runner answered {event!r} instead of its environment")
        else:
            self._pass_on(answer, self.collector)

    def end(self) -> None:
        """Put on record what the device did not survive, where nothing was answered since."""
        if self.collector:
            self._give_up(self.collector)

    def _start(self, boot: str | None) -> None:
        """Take note of a start; a model that another start of the system had did not let the device live."""
        if self.visiting and boot and self.boot and boot != self.boot:
            self.freezes[self.visiting] += 1
        self.visiting, self.boot = None, boot

    def _enter(self, answer: dict[str, Any]) -> None:
        """Begin a run of the runner; visits made in another environment do not count."""
        fingerprint = self._fingerprint_of(answer)
        tasks = tasks_of(self.exports, self.target, fingerprint)
        self.tasks = {task_id(task.export.artifact, task.replicate, self.target): task for task in tasks}
        pending = {task.key: task for task in tasks if not self._is_settled(task)}
        # The log holds all visits from the first one on, whatever of it was brought back before.
        visits = self.collector.visits if self.collector and answer["environment"] == self.environment else {}
        self.environment = answer["environment"]
        self.collector = ResultCollector(
            self.target, self.artifacts, self.measurements, fingerprint, self.device, pending, visits
        )
        self._give_up(self.collector)
        due = len(self.collector.pending)
        self.collector.settle_unsupported(self.environment)
        self.new += due - len(self.collector.pending)
        self.collector.collect(answer)

    def _fingerprint_of(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return the fingerprint that a run's measurements go by; where its machine is new, that is decided."""
        environment, known = answer["environment"], self.measurements.fingerprints
        if known.is_new(environment):
            own = fingerprint_of(environment)
            device = device_factors(self.target, own)["device"]
            name, times = calibration_name(device, self.target.factors["threads"]), answer["calibration_ns"] or []
            if known.admit(environment, name, times) is not None:  # The device is not there to be timed once more.
                known.note(own, name, times)
        return known.of(environment)

    def _give_up(self, collector: ResultCollector) -> None:
        for name, count in self.freezes.items():
            task = self.tasks[name]
            if count >= MAX_FREEZES and task.key in collector.pending:
                collector.give_up(task, self.environment)
                self.new += 1

    def _pass_on(self, answer: dict[str, Any], collector: ResultCollector) -> None:
        if name := answer.get("key"):
            if name not in self.tasks:
                raise BenchmarkError(f"the runner answered for a model that was not requested: {name!r}")
            self.visiting = name if answer["event"] == VISITING else None
            answer = answer | {"key": self.tasks[name].key}
            if answer["event"] == VISITING or answer["key"] not in collector.pending:
                return  # What is not pending was brought back before.
        before = len(collector.pending)
        collector.collect(answer)
        self.new += before - len(collector.pending)

    def _is_settled(self, task: Task) -> bool:
        return self.measurements.is_settled(task.key, self.target.time_limit_s)
