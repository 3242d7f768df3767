"""A campaign: measure what the store lacks of a list of exports on a target."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.bench.exclusion import exclusive
from perfcast.bench.record import SCHEMA_VERSION, MeasurementStore
from perfcast.errors import BenchmarkError
from perfcast.storage import digest_of_json

if TYPE_CHECKING:
    from perfcast.bench.target import Replicates, Target
    from perfcast.bench.transport import Transport
    from perfcast.export.artifacts import ArtifactStore
    from perfcast.export.stage import Export
    from perfcast.progress import Progress

RESULT_KEYS = ("state", "samples", "reference_ns", "memory", "timing", "verdict", "reason")


@dataclass(frozen=True)
class Task:
    """One measurement to make: an export, the factors it runs under, and which repetition it is."""

    key: str
    export: Export
    factors: dict[str, Any]
    replicate: int


@dataclass(frozen=True)
class Campaign:
    """What measures on one target: its description, its transport, and the two stores."""

    target: Target
    transport: Transport
    artifacts: ArtifactStore
    measurements: MeasurementStore

    def measure(self, exports: list[Export], progress: Progress, description: str) -> list[str]:
        """Measure each export unless the store has it; return the keys of all, in order.

        Each measurement is stored as soon as it is made, so that an interruption loses the one in flight. While
        another campaign measures on the device, this one waits; what that one stored is not measured again.

        Raises:
            BenchmarkError: the runner ended early, or answered what it should not.
        """
        with exclusive(self.measurements.lock_of(self.transport.device), f"measuring on {self.transport.device}"):
            tasks = self.tasks(exports)
            missing = self.missing(tasks)
            if missing:
                self.measurements.sweep()
                with progress(len(tasks), description) as advance:
                    advance(len(tasks) - len(missing))
                    for record in self._run(missing):
                        self.measurements.put(record)
                        advance()
        return [task.key for task in tasks]

    def missing(self, tasks: list[Task]) -> list[Task]:
        """Return the measurements that the store lacks."""
        limit = self.target.time_limit_s
        return [task for task in tasks if not self.measurements.is_settled(task.key, limit)]

    def tasks(self, exports: list[Export]) -> list[Task]:
        """Return the measurements that exports ask for: each once, then the repetitions of some."""
        context = self.transport.probe(self.target.factors)
        device = {
            "device": self.target.device_name or context["machine"]["cpu"],
            "toolchain_version": context["software"][self.target.factors["toolchain"]],
        }
        wanted = [(export, 0) for export in exports]
        for replicate in range(1, self.target.replicates.count + 1):
            wanted += [(e, replicate) for e in exports if is_repeated(e.spec.model, self.target.replicates)]
        return [self._task(export, replicate, device) for export, replicate in wanted]

    def _task(self, export: Export, replicate: int, device: dict[str, str]) -> Task:
        shape = list(export.spec.input_shape)
        factors = self.target.factors | device | {"clock_mhz": None, "input_shape": shape}
        identity = {
            "artifact": export.artifact,
            "target": self.target.name,
            "factors": factors,
            "protocol": self.target.protocol.to_dict(),
            "replicate": replicate,
        }
        return Task(digest_of_json(identity), export, factors, replicate)

    def _run(self, tasks: list[Task]) -> Any:
        pending = {task.key: task for task in tasks}
        context = None
        for answer in self.transport.run(self._plan(tasks)):
            if answer["event"] == "context":
                context = self.measurements.put_context(answer["context"])
            elif answer["event"] == "measurement":
                yield self._record(answer, pending, context)
        if pending:
            raise BenchmarkError(f"the runner ended with {len(pending)} of {len(tasks)} models not measured")

    def _plan(self, tasks: list[Task]) -> dict[str, Any]:
        return {
            "factors": self.target.factors | {"device_kind": self.target.device_kind},
            "protocol": self.target.protocol.to_dict(),
            "time_limit_s": self.target.time_limit_s,
            "tasks": [self._plan_entry(task) for task in tasks],
        }

    def _plan_entry(self, task: Task) -> dict[str, Any]:
        graph = self.artifacts.descriptor(task.export.artifact)["graph"]
        return {
            "key": task.key,
            "graph": str((self.artifacts.location(task.export.artifact) / "graph.pb").resolve()),
            "inputs": graph["inputs"],
            "outputs": graph["outputs"],
            "seed": task.export.spec.seed,
        }

    def _record(self, answer: dict[str, Any], pending: dict[str, Task], context: str | None) -> dict[str, Any]:
        task = pending.pop(answer["key"], None)
        if task is None or context is None:
            raise BenchmarkError(f"the runner answered for a model it was not asked for: {answer['key']!r}")
        return {
            "schema_version": SCHEMA_VERSION,
            "key": task.key,
            "artifact": task.export.artifact,
            "model": task.export.spec.model,
            "target": self.target.name,
            "factors": task.factors,
            "protocol": self.target.protocol.to_dict(),
            "replicate": task.replicate,
            "time_limit_s": self.target.time_limit_s,
            "context": context,
            "started_at": answer["started_at"],
            **{key: answer[key] for key in RESULT_KEYS},
        }


def is_repeated(model: str, replicates: Replicates) -> bool:
    """Say whether a model is among the share that is measured again: a stable choice by its name."""
    return fraction_of(model) < replicates.share


def shard_of(model: str, shards: int) -> int:
    """Return the shard of a model: a stable choice by its name, whatever other models there are."""
    return int(fraction_of(f"shard of {model}") * shards)


def fraction_of(text: str) -> float:
    """Return a number in [0, 1) that depends on ``text`` alone, evenly spread over texts."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48
