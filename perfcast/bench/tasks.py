"""Tasks: the measurements that exports ask for, each under the key that it is stored by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.bench.plans import program_of
from perfcast.errors import BenchmarkError
from perfcast.storage import digest_of_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from perfcast.bench.target import Replicates, Target
    from perfcast.export.exports import Export
    from perfcast.export.program import Program


@dataclass(frozen=True)
class Task:
    """One measurement to make: an export, the program that runs, under which factors, and which repetition it is."""

    key: str
    export: Export
    program: Program
    factors: dict[str, Any]
    replicate: int

    @property
    def model(self) -> str:
        """The model's name."""
        return self.export.spec.model


def tasks_of(exports: Iterable[Export], target: Target, fingerprint: Mapping[str, Any]) -> list[Task]:
    """Return the measurements that exports ask for under a fingerprint: each once, then the repetitions of some.

    Raises:
        BenchmarkError: the fingerprint does not say which version of the toolchain there is.
    """
    device = device_factors(target, fingerprint)
    digest = digest_of_json(fingerprint)
    return [_task(export, replicate, target, device, digest) for export, replicate in wanted(exports, target)]


def wanted(exports: Iterable[Export], target: Target) -> list[tuple[Export, int]]:
    """Return which measurements exports ask for, whatever the fingerprint: each once, then the repetitions of some."""
    first = [(export, 0) for export in exports]
    once = [export for export, _ in first if is_repeated(export.spec.model, target.replicates)]
    return first + [(export, count) for count in range(1, target.replicates.count + 1) for export in once]


def device_factors(target: Target, fingerprint: Mapping[str, Any]) -> dict[str, str]:
    """Return the factors that the device says itself.

    Raises:
        BenchmarkError: it does not say which version of the toolchain it has.
    """
    toolchain = target.factors["toolchain"]
    version = fingerprint["software"].get(toolchain)
    if not isinstance(version, str):
        raise BenchmarkError(f"the runner does not report its version of {toolchain}")
    return {"device": target.device_name or fingerprint["machine"]["cpu"], "toolchain_version": version}


def _task(export: Export, replicate: int, target: Target, device: dict[str, str], fingerprint: str) -> Task:
    shape = list(export.spec.input_shape)
    factors = target.factors | device | {"clock_mhz": None, "input_shape": shape}
    program = program_of(export, target)
    identity = {
        "artifact": export.artifact,
        "program": program.digest,
        "target": target.name,
        "factors": factors,
        "protocol": target.protocol.to_dict(),
        "settings": target.settings,
        "soak_s": target.soak_s,
        "fingerprint": fingerprint,
        "replicate": replicate,
    }
    return Task(digest_of_json(identity), export, program, factors, replicate)


def is_repeated(model: str, replicates: Replicates) -> bool:
    """Say whether a model is among the share that is measured again: a stable choice by its name."""
    return fraction_of(model) < replicates.share


def shard_of(model: str, shards: int) -> int:
    """Return the shard of a model: a stable choice by its name, whatever other models there are."""
    return int(fraction_of(f"shard of {model}") * shards)


def fraction_of(text: str) -> float:
    """Return a number in [0, 1) that depends on ``text`` alone, evenly spread over texts."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48
