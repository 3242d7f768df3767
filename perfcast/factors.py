"""Factors: what can vary on a target. The one list of them, with their types, defaults and who interprets each."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from perfcast.errors import UsageError
from perfcast.runner.toolchains import DEFAULT, TOOLCHAINS
from perfcast.runner.workloads import DEFAULT as DEFAULT_WORKLOAD
from perfcast.runner.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import pandas as pd

Interpreter = Literal["device", "runner", "toolchain", "workload", "setting", "protocol"]

MAX_SETS = 1000
"""Combinations of one target: each starts the toolchain once per shard, so more are a mistake in the description."""


@dataclass(frozen=True)
class Factor:
    """One thing that can vary.

    Attributes:
        name: as targets, records, datasets and the command's options name it.
        type: of its values.
        interpreter: who gives it its meaning. `device`: found there, a target cannot ask for it. `protocol`: follows
            from the target's protocol. `setting`: it is set on the device; a target that does not name it leaves the
            setting of this name as it is, and its factor sets lack it.
        description: one sentence for users.
        unit: of its values, None for none.
        is_categorical: whether its values are names that part predictors; else it is a number, a feature of them.
        default: of a target that does not name it.
        schema: what a target may ask for, as JSON schema; None where it cannot ask.
    """

    name: str
    type: type
    interpreter: Interpreter
    description: str
    unit: str | None = None
    is_categorical: bool = True
    default: Any = None
    schema: Mapping[str, Any] | None = field(default=None, hash=False)
    owner: Literal["", "toolchain", "workload"] = ""
    """The factor that it is an option of; none for a factor of all."""
    owners: tuple[str, ...] = ()
    """Those whose option it is, such as names of toolchains."""

    @property
    def is_partial(self) -> bool:
        """Whether factor sets may lack it."""
        return bool(self.owner) or self.interpreter == "setting"

    def is_used(self, values: Mapping[str, Collection[Any]]) -> bool:
        """Return whether it means something under some of these values of its owner."""
        return not self.owner or any(name in self.owners for name in values[self.owner])


def _options(owner: Literal["toolchain", "workload"], plugs: Mapping[str, Any]) -> tuple[Factor, ...]:
    """Return the own options of toolchains or workloads, one factor for all of a name."""
    owners: dict[str, list[str]] = {}
    options: dict[str, dict[str, Any]] = {}
    for plug in plugs.values():
        for name, option in plug.OPTIONS.items():
            owners.setdefault(name, []).append(plug.name)
            options.setdefault(name, option)
    return tuple(
        Factor(
            name,
            interpreter=owner,
            is_categorical=option["type"] in (str, bool),
            owner=owner,
            owners=tuple(owners[name]),
            **option,
        )
        for name, option in options.items()
    )


FACTORS = (
    Factor("device", str, "device", "The device that computes."),
    Factor(
        "toolchain",
        str,
        "runner",
        f"The runtime: {'; '.join(f'`{name}`, {plug.description}' for name, plug in TOOLCHAINS.items())}.",
        default=DEFAULT,
        schema={"enum": list(TOOLCHAINS)},
    ),
    Factor("toolchain_version", str, "device", "The runtime's version."),
    Factor(
        "workload",
        str,
        "runner",
        f"What is timed: {'; '.join(f'`{name}`, {plug.description}' for name, plug in WORKLOADS.items())}.",
        default=DEFAULT_WORKLOAD,
        schema={"enum": list(WORKLOADS)},
    ),
    Factor(
        "precision",
        str,
        "toolchain",
        "Number format of weights and activations.",
        default="float32",
        schema={"enum": ["float32"]},
    ),
    *_options("toolchain", TOOLCHAINS),
    Factor(
        "threads",
        int,
        "runner",
        "Threads of the runtime; null for as many as there are CPUs.",
        is_categorical=False,
        schema={"type": ["integer", "null"], "minimum": 1, "maximum": 4096},
    ),
    Factor(
        "batch",
        int,
        "workload",
        "Batch size: inputs per run.",
        is_categorical=False,
        default=1,
        schema={"type": "integer", "minimum": 1, "maximum": 65536},
    ),
    *_options("workload", WORKLOADS),
    Factor(
        "clock_mhz", float, "device", "Clock frequency that the device was fixed at.", unit="MHz", is_categorical=False
    ),
    Factor(
        "nvpmodel",
        int,
        "setting",
        "Power mode of a Jetson, a number in its /etc/nvpmodel.conf.",
        schema={"type": "integer", "minimum": 0, "maximum": 99},
    ),
    Factor("protocol", str, "protocol", "Protocol by which a model was timed."),
)

NAMES = tuple(factor.name for factor in FACTORS)
CATEGORICAL = tuple(factor.name for factor in FACTORS if factor.is_categorical)
NUMERIC = tuple(factor.name for factor in FACTORS if not factor.is_categorical)
ASKED = tuple(factor for factor in FACTORS if factor.schema is not None)
"""Those that a target's description may fix or vary."""
SETTINGS = tuple(factor for factor in ASKED if factor.interpreter == "setting")
"""Those that are settings of the device."""

FactorSet = dict[str, Any]
"""A value for each factor that a target may ask for; see `Factor.is_partial`."""


def factor_named(name: str) -> Factor:
    """Return a factor by its name.

    Raises:
        KeyError: there is none.
    """
    return next(factor for factor in FACTORS if factor.name == name)


def varying(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the factors that take more than one value in a table, a missing value being one."""
    return tuple(name for name in NAMES if name in table and table[name].nunique(dropna=False) > 1)


def settings_in(chosen: Mapping[str, Any]) -> FactorSet:
    """Return those of a factor set's values that are settings of the device."""
    return {factor.name: chosen[factor.name] for factor in SETTINGS if factor.name in chosen}


def _in_full(factor: Factor) -> str:
    """Return a factor's description with its default, which is no schema's: it stands in for what does not vary."""
    if factor in SETTINGS:
        return f"{factor.description} Default: as `settings` has it."
    return f"{factor.description} Default: `{json.dumps(factor.default).strip(chr(34))}`."


def factors_schema() -> dict[str, Any]:
    """Return the JSON schema of a target's `factors`: which are fixed, which vary, and what is excluded."""
    values = {factor.name: {"description": _in_full(factor)} | dict(factor.schema or {}) for factor in ASKED}
    lists = {
        name: {
            "description": f"Values of `{name}` to combine with those of the others.",
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": value,
        }
        for name, value in values.items()
    }
    mapping = {"type": "object", "additionalProperties": False}
    return mapping | {
        "description": "What could differ on another target, or is varied on this one.",
        "properties": {
            "fixed": mapping | {"description": "Factors with one value.", "properties": values},
            "vary": mapping
            | {"description": "Factors with several values: all combinations are measured.", "properties": lists},
            "exclude": {
                "description": "Combinations that are not measured: each entry excludes all that have its values, "
                "such as `{threads: 1, batch: 8}`.",
                "type": "array",
                "items": mapping | {"minProperties": 1, "properties": values},
            },
        },
    }


def factor_sets(description: Mapping[str, Any]) -> tuple[FactorSet, ...]:
    """Return the factor sets that a checked description asks for, in the order of its lists.

    Args:
        description: a target's `factors`: `fixed`, `vary` and `exclude`, each optional. A factor that neither of the
            first two names has its default.

    Raises:
        UsageError: a factor is both fixed and varied, everything is excluded, an exclusion excludes nothing, or there
            are too many sets.
    """
    fixed, vary = description.get("fixed") or {}, description.get("vary") or {}
    exclude = description.get("exclude") or []
    if both := [name for name in vary if name in fixed]:
        raise UsageError(f"factors: {both[0]} is both fixed and varied; remove it from one of them")
    _refuse_foreign_options(fixed, vary)
    every = list(itertools.islice(_combined(fixed, vary), MAX_SETS + 1))
    if len(every) > MAX_SETS:
        raise UsageError(f"factors.vary: more than {MAX_SETS:,} combinations; vary fewer values")
    for index, entry in enumerate(exclude):
        if not any(_has(chosen, entry) for chosen in every):
            raise UsageError(f"factors.exclude.{index}: no combination has these values; remove it")
    kept = tuple(chosen for chosen in every if not any(_has(chosen, entry) for entry in exclude))
    if not kept:
        raise UsageError("factors.exclude: excludes every combination; remove an entry")
    return kept


def with_written_defaults(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checked description with the default of each factor that it does not name, as a copy."""
    vary = {name: list(values) for name, values in (description.get("vary") or {}).items()}
    given = dict(description.get("fixed") or {})
    used = _used(given, vary)
    here = [factor for factor in ASKED if factor.is_used(used) and factor not in SETTINGS]
    return {
        "fixed": {factor.name: factor.default for factor in here if factor.name not in vary} | given,
        "vary": vary,
        "exclude": [dict(entry) for entry in description.get("exclude") or []],
    }


def _combined(fixed: Mapping[str, Any], vary: Mapping[str, Sequence[Any]]) -> Iterator[FactorSet]:
    lists = [vary.get(factor.name) or [fixed.get(factor.name, factor.default)] for factor in ASKED]
    before, unset = set(), {factor.name for factor in SETTINGS if factor.name not in (*fixed, *vary)}
    for values in itertools.product(*lists):
        chosen = dict(zip((factor.name for factor in ASKED), values, strict=True))
        used = {name: (value,) for name, value in chosen.items()}
        here = [factor.name for factor in ASKED if factor.is_used(used)]
        own = {name: chosen[name] for name in here if name not in unset}
        key = tuple(own.items())
        if key not in before:  # Else they differ in an option that this toolchain or workload lacks.
            before.add(key)
            yield own


def _refuse_foreign_options(fixed: Mapping[str, Any], vary: Mapping[str, Any]) -> None:
    used = _used(fixed, vary)
    for factor in ASKED:
        asked_for = factor.name in vary or fixed.get(factor.name, factor.default) != factor.default
        if asked_for and not factor.is_used(used):
            names = ", ".join(sorted(used[factor.owner]))
            raise UsageError(f"factors: {names} has no option {factor.name}; remove it")


def _used(fixed: Mapping[str, Any], vary: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return the toolchains and the workloads that a description asks for."""
    defaults = {"toolchain": DEFAULT, "workload": DEFAULT_WORKLOAD}
    return {name: set(vary.get(name) or [fixed.get(name, default)]) for name, default in defaults.items()}


def _has(chosen: FactorSet, entry: Mapping[str, Any]) -> bool:
    return all(name in chosen and chosen[name] == value for name, value in entry.items())


def in_words(chosen: FactorSet, others: Sequence[FactorSet]) -> str:
    """Return the values by which a factor set differs from others, such as `threads 1, batch 8`; empty for none."""
    differ = [name for name in chosen if any(other.get(name) != chosen[name] for other in others)]
    return ", ".join(f"{name} {chosen[name]}" for name in differ)
