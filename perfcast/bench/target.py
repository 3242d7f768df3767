"""A target: where and how models run."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from perfcast.config import check, default_of, read_extended, schema
from perfcast.errors import UsageError
from perfcast.factors import factor_sets, settings_in, with_written_defaults
from perfcast.runner.power import OFF, POWER_METRICS
from perfcast.runner.toolchains import TOOLCHAINS
from perfcast.runner.workloads import WORKLOADS
from perfcast.schema import with_schema_defaults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from perfcast.factors import FactorSet

_ADAPTIVE = ("min_visits", "rel_ci_half_width")


@dataclass(frozen=True)
class Protocol:
    """How often a model runs, over how many visits, and how many inferences do not count.

    A model is measured in visits, spread over the campaign: in each it runs `iterations` / `visits` times, of which
    the first `discard` / `visits` are warm-up.

    Attributes:
        name: `published`, all visits, or `adaptive`, until the interval of the location is narrow enough.
        iterations: maximum number of inferences, including warm-up, without those of repeated visits.
        discard: how many of these are warm-up.
        warmup_s: how long each visit runs the model before inferences are timed.
        visits: number of visits that they are divided over.
        repeats: maximum number of disturbed visits repeated; `adaptive` repeats until `min_visits` are calm.
        budget_s: how long to measure in one run, None for as long as it takes; not part of a measurement's key.
        min_visits: of `adaptive`, minimum number of visits before it may stop; else None.
        rel_ci_half_width: of `adaptive`, relative half width of the location's interval below which it stops; else
            None.
    """

    name: str
    iterations: int
    discard: int
    visits: int = field(default_factory=partial(default_of, "target", "protocol", "visits"))
    repeats: int = field(default_factory=partial(default_of, "target", "protocol", "repeats"))
    min_visits: int | None = None
    rel_ci_half_width: float | None = None
    warmup_s: float = field(default_factory=partial(default_of, "target", "protocol", "warmup_s"))
    budget_s: float | None = None

    VERSION = 3
    """Raised when the same values must be measured again."""

    def __post_init__(self) -> None:
        """Refuse a protocol that keeps no sample, or whose values do not go together.

        Raises:
            UsageError: one line that names the key and says what to do.
        """
        if self.discard >= self.iterations:
            raise UsageError(f"protocol: discard {self.discard} must be less than iterations {self.iterations}")
        for name in ("iterations", "discard"):
            value = getattr(self, name)
            if value % self.visits:
                raise UsageError(
                    f"protocol: {name} {value} cannot be divided evenly over visits {self.visits}; "
                    f"take a multiple of {self.visits}"
                )
        if self.name == "adaptive":
            self._check_adaptive()
        elif given := [name for name in _ADAPTIVE if getattr(self, name) is not None]:
            raise UsageError(f"protocol: {given[0]} belongs to the adaptive protocol; remove it, or set name: adaptive")

    def _check_adaptive(self) -> None:
        if self.min_visits is None or self.rel_ci_half_width is None:
            missing = next(name for name in _ADAPTIVE if getattr(self, name) is None)
            raise UsageError(f"protocol: adaptive needs {missing}; add it, or set name: published")
        if self.min_visits > self.visits:
            raise UsageError(f"protocol: min_visits {self.min_visits} must be at most visits {self.visits}")

    @property
    def iterations_per_visit(self) -> int:
        """Inferences of one visit, its warm-up included."""
        return self.iterations // self.visits

    @property
    def discard_per_visit(self) -> int:
        """How many of a visit's first inferences are warm-up."""
        return self.discard // self.visits

    @property
    def required_visits(self) -> int:
        """Below how many visits a model is not done."""
        return self.min_visits or self.visits

    @property
    def max_visits(self) -> int:
        """How many visits a model has at most, repeated ones included."""
        return self.visits + self.repeats

    def to_dict(self) -> dict[str, Any]:
        """Return the protocol as it stands in a measurement's key and record, and in a plan."""
        names = ["name", "iterations", "discard", "visits", "repeats"]
        if self.name == "adaptive":
            names += _ADAPTIVE
        if self.warmup_s:
            names.append("warmup_s")
        return {"version": self.VERSION} | {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Replicates:
    """Which share of the models is measured again, and how often, to determine how repeatable numbers are."""

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
    architecture: str | None
    transport: dict[str, Any]
    factor_sets: tuple[FactorSet, ...]
    protocol: Protocol
    replicates: Replicates
    time_limit_s: float
    settings: dict[str, Any] = field(default_factory=dict)
    environment_variables: dict[str, str | None] = field(default_factory=dict)
    soak_s: float | None = None
    power: str = OFF

    @property
    def factors(self) -> FactorSet:
        """The factor set of a target that has just one, such as each of `parts`."""
        (only,) = self.factor_sets
        return only

    @property
    def all_settings(self) -> dict[str, Any]:
        """The settings to apply, those that are factors included; of a target that has just one factor set."""
        return self.settings | settings_in(self.factors)

    def parts(self) -> list[Target]:
        """Return this target once per factor set, each with that one alone."""
        return [replace(self, factor_sets=(chosen,)) for chosen in self.factor_sets]

    @property
    def formats(self) -> tuple[str, ...]:
        """Formats of the programs that its toolchains run for its workloads, the best first."""
        found = (
            WORKLOADS[chosen["workload"]].program_format(chosen, name)
            for chosen in self.factor_sets
            for name in TOOLCHAINS[chosen["toolchain"]].FORMATS
        )
        return tuple(dict.fromkeys(found))

    @property
    def is_local(self) -> bool:
        """Whether it is this machine."""
        return bool(self.transport["kind"] == "local")

    @property
    def in_container(self) -> bool:
        """Whether models run in a container."""
        return bool(self.transport.get("container"))

    @property
    def retry_timeout_s(self) -> float:
        """For how long a device is waited for that is lost."""
        return float(self.transport["retry_timeout_s"])

    @classmethod
    def from_dict(cls, name: str, values: dict[str, Any]) -> Target:
        """Return the target that a checked description stands for."""
        _check_transport(values["transport"])
        values = with_schema_defaults(values, schema("target"))
        power = values["power"] or OFF  # YAML reads `off` as false.
        sets = factor_sets(resolved(values["factors"], values["transport"]["kind"]))
        _refuse_twice(values["settings"] or {}, sets)
        _check_metrics(values.get("metrics", {}), sets, power)  # None where only measuring is asked for.
        return cls(
            name=name,
            description=values.get("description", ""),
            device_kind=values["device"]["kind"],
            device_name=values["device"]["name"],
            device_memory_mb=values["device"]["memory_mb"],
            architecture=values["device"]["architecture"],
            transport=values["transport"],
            factor_sets=sets,
            protocol=Protocol(**values["protocol"]),
            replicates=Replicates(**values["replicates"]),
            time_limit_s=values["time_limit_s"],
            settings=dict(values["settings"] or {}),
            environment_variables=dict(values["environment_variables"]),
            soak_s=None if values["soak_s"] is None else float(values["soak_s"]),
            power=power,
        )


def resolved(factors: Mapping[str, Any], transport: str) -> dict[str, Any]:
    """Return a description's `factors` as this machine understands them: defaults written out, CPUs counted.

    Raises:
        UsageError: the number of threads is left to a device that is not this machine.
    """
    written = with_written_defaults(factors)
    lists = [written["fixed"], *written["exclude"]]
    open_ended = [entry for entry in lists if entry.get("threads", 0) is None]
    varied = written["vary"].get("threads", [])
    if transport == "ssh" and (open_ended or None in varied):
        raise UsageError(
            "factors: threads null means the CPUs of this machine; set threads to the device's number of CPUs"
        )
    for entry in open_ended:
        entry["threads"] = available_cpus()
    if varied:
        written["vary"]["threads"] = list(dict.fromkeys(threads or available_cpus() for threads in varied))
    return written


def _check_metrics(metrics: Mapping[str, Any], sets: Iterable[FactorSet], power: str) -> None:
    """Refuse metrics that a workload of the target does not have, or that need power to be measured."""
    for name, metric in metrics.items():
        if metric["column"] in POWER_METRICS and power == OFF:
            raise UsageError(f"metrics.{name}.column: {metric['column']} is not measured; set power: auto")
    for workload in dict.fromkeys(chosen["workload"] for chosen in sets):
        known = (*WORKLOADS[workload].METRICS, *POWER_METRICS)
        for name, metric in metrics.items():
            if metric["column"] not in known:
                what = f"the workload {workload} does not measure {metric['column']}"
                raise UsageError(f"metrics.{name}.column: {what}; take one of {', '.join(known)}")


def _refuse_twice(settings: Mapping[str, Any], sets: Iterable[FactorSet]) -> None:
    """Refuse a setting that is a factor as well."""
    for chosen in sets:
        if both := [name for name in settings_in(chosen) if settings.get(name) is not None]:
            raise UsageError(f"factors: {both[0]} is one of the settings, too; set settings.{both[0]} to null")


def _check_transport(transport: dict[str, Any]) -> None:
    if transport["kind"] == "ssh" or runs_apart(transport):
        return
    if given := sorted(set(transport) - {"kind", "container"}):
        raise UsageError(f"transport.{given[0]}: is only for kind ssh, a container or another python; remove it")


def runs_apart(transport: Mapping[str, Any]) -> bool:
    """Return whether this machine runs models apart from perfcast: in a container, or by another interpreter."""
    return bool(transport.get("container")) or "python" in transport


def read_description(path: Path) -> dict[str, Any]:
    """Return the description of a target, which bears its file's name, over its bases', once it is checked.

    Raises:
        UsageError: a file is absent or wrong: one line that names it and the key.
    """
    description, origin = read_extended(path)
    if "tables" in description:
        raise UsageError(f"{path}: is a target of tables, measured elsewhere; choose a target with a device")
    check(description, "target", origin)
    try:
        Target.from_dict(path.stem, description)
    except UsageError as error:
        raise UsageError(f"{origin}: {error}") from error
    return description


def available_cpus() -> int:
    """Return the number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
