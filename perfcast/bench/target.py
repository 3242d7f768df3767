"""A target: where and how models run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.config import check, read_mapping
from perfcast.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Protocol:
    """How often a model runs, and how many of the first inferences do not count."""

    name: str
    iterations: int
    discard: int

    VERSION = 1
    """Raised when the same values have to be measured anew."""

    def __post_init__(self) -> None:
        """Refuse a protocol that keeps no sample.

        Raises:
            UsageError: it discards as many inferences as it makes.
        """
        if self.discard >= self.iterations:
            raise UsageError(f"protocol: discard {self.discard} has to be less than iterations {self.iterations}")

    def to_dict(self) -> dict[str, Any]:
        """Return the protocol as it stands in a measurement's key and record."""
        return {
            "name": self.name,
            "version": self.VERSION,
            "iterations": self.iterations,
            "discard": self.discard,
        }


@dataclass(frozen=True)
class Replicates:
    """Which share of the models is measured again, and how often, to tell how repeatable numbers are."""

    share: float
    count: int


@dataclass(frozen=True)
class Target:
    """A target's description, checked; see config/README.md for each field's meaning."""

    name: str
    description: str
    device_kind: str
    device_name: str | None
    device_memory_mb: float | None
    transport: dict[str, Any]
    factors: dict[str, Any]
    protocol: Protocol
    replicates: Replicates
    time_limit_s: float

    @classmethod
    def from_dict(cls, name: str, values: dict[str, Any]) -> Target:
        """Return the target that a checked description stands for."""
        factors = dict(values["factors"])
        factors["threads"] = factors["threads"] or available_cpus()
        return cls(
            name=name,
            description=values.get("description", ""),
            device_kind=values["device"]["kind"],
            device_name=values["device"]["name"],
            device_memory_mb=values["device"].get("memory_mb"),
            transport=values["transport"],
            factors=factors,
            protocol=Protocol(**values["protocol"]),
            replicates=Replicates(**values["replicates"]),
            time_limit_s=values["time_limit_s"],
        )


def read_description(path: Path) -> dict[str, Any]:
    """Return the description of a target, which bears its file's name, once it is checked.

    Raises:
        UsageError: the file is absent or wrong: one line that names it and the key.
    """
    description = read_mapping(path)
    check(description, "target", str(path))
    try:
        Target.from_dict(path.stem, description)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    return description


def available_cpus() -> int:
    """Return the number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
