"""A mapping: how to read a table of measurements from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from perfcast.config import check, read_mapping
from perfcast.errors import UsageError
from perfcast.tables.names import refuse_collisions
from perfcast.tables.patterns import compiled

if TYPE_CHECKING:
    import re
    from collections.abc import Collection, Sequence
    from collections.abc import Mapping as Values
    from pathlib import Path


@dataclass(frozen=True)
class Grouping:
    """Where a row's family stands.

    Attributes:
        column: says it.
        pattern: searched in the column's text: the family is its first group, or all that it matches; None for the
            whole text.
    """

    column: str
    pattern: re.Pattern[str] | None


@dataclass(frozen=True)
class OneHot:
    """A column of text that is learned from: a feature of 0 or 1 for each place and value.

    Attributes:
        column: its name.
        pattern: whose matches, in order, are the places; None where the text is one value.
        places: how many there are.
        values: that a place may have.
    """

    column: str
    pattern: re.Pattern[str] | None
    places: int
    values: tuple[str, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """The names of its features, by place and then by value."""
        if self.pattern is None:
            return tuple(f"{self.column}={value}" for value in self.values)
        places = range(1, self.places + 1)
        return tuple(f"{self.column}[{place}]={value}" for place in places for value in self.values)


@dataclass(frozen=True)
class OutOfMemory:
    """What marks the rows that ran out of memory.

    Attributes:
        column: says it.
        values: the texts that do; empty where the column is of booleans.
    """

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class ImportedMetric:
    """What was measured: the column that holds it, its unit, and whether it must be asked for."""

    column: str
    unit: str
    optional: bool = False


@dataclass(frozen=True)
class Mapping:
    """How to read a table; see `perfcast/schemas/mapping.schema.yaml` for each field.

    Attributes:
        columns: None where the table's first line names them.
        only: the texts that count in a column; rows with others do not.
        metrics: that are learned; see `chosen`.
        measured: the columns of all metrics, those that are not learned, too: nothing is learned from them.
        features: the columns that hold them, by their names; None for all columns of numbers that nothing else names.
        held: how many numbers a run holds for each unit of some features; see `perfcast.fit.options.FitOptions.held`.
        implausible: features that are compared with the product of others.
        factors: the columns of factors, by their names (`perfcast.factors`).
        oom: None where no row ran out of memory.
    """

    description: str
    columns: tuple[str, ...] | None
    missing: tuple[str, ...]
    model: str
    family: Grouping | None
    input_size: str | None
    only: Values[str, tuple[str, ...]]
    metrics: Values[str, ImportedMetric]
    measured: tuple[str, ...]
    features: Values[str, str] | None
    held: Values[str, float]
    implausible: Values[str, tuple[str, ...]]
    factors: Values[str, str]
    one_hot: tuple[OneHot, ...]
    oom: OutOfMemory | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """The columns that the mapping names to learn with, each once."""
        family = [self.family.column] if self.family else []
        size = [self.input_size] if self.input_size else []
        encoded = [each.column for each in self.one_hot]
        metrics = [metric.column for metric in self.metrics.values()]
        oom = [self.oom.column] if self.oom else []
        features = (self.features or {}).values()
        every = [self.model, *family, *size, *encoded, *features, *metrics, *self.only, *oom]
        return tuple(dict.fromkeys([*every, *self.factors.values()]))

    def columns_of(self, features: Sequence[str]) -> tuple[str, ...]:
        """Return the columns that hold ``features``, each once: what a table needs for predictions of its models.

        Raises:
            UsageError: the mapping lists its features, and one is not among them.
        """
        holders = {name: each.column for each in self.one_hot for name in each.features}
        for name in features:
            if self.features is not None and name not in holders and name not in self.features:
                raise UsageError(f"lacks the column {name!r} under features, which the predictor was trained on")
        holders |= self.features or {}
        return tuple(dict.fromkeys([*(holders.get(name, name) for name in features), *self.factors.values()]))

    def without_factors(self, names: Collection[str]) -> Mapping:
        """Return the mapping without the columns of some factors, whose values come from elsewhere."""
        return replace(self, factors={name: column for name, column in self.factors.items() if name not in names})

    def chosen(self, names: Sequence[str]) -> Mapping:
        """Return the mapping with the metrics ``names``; with those that need not be asked for where none is named.

        Raises:
            UsageError: there is no metric of a name.
        """
        unknown = [name for name in names if name not in self.metrics]
        if unknown:
            raise UsageError(f"--metric {unknown[0]}: unknown metric; the mapping has {', '.join(self.metrics)}")
        wanted = names or [name for name, metric in self.metrics.items() if not metric.optional] or list(self.metrics)
        return replace(self, metrics={name: self.metrics[name] for name in wanted})


def load_mapping(path: Path) -> Mapping:
    """Return the mapping in a file.

    Raises:
        UsageError: the file is absent or wrong: one line that names it and the key.
    """
    values = read_mapping(path)
    check(values, "mapping", str(path))
    try:
        mapping = _mapping(values)
        _check_consistent(mapping)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    return mapping


def _mapping(values: dict[str, Any]) -> Mapping:
    family = values.get("family")
    one_hot = values.get("one_hot", {})
    return Mapping(
        description=values["description"],
        columns=tuple(values["columns"]) if "columns" in values else None,
        missing=tuple(values.get("missing", ())),
        model=values["model"],
        family=Grouping(family["column"], _pattern(family.get("pattern"), "family.pattern")) if family else None,
        input_size=values.get("input_size"),
        only={column: tuple(texts) for column, texts in values.get("only", {}).items()},
        metrics={name: ImportedMetric(**metric) for name, metric in values["metrics"].items()},
        measured=tuple(metric["column"] for metric in values["metrics"].values()),
        features=_features(values["features"]) if "features" in values else None,
        held=dict(values.get("held", {})),
        implausible={name: tuple(others) for name, others in values.get("implausible", {}).items()},
        factors=dict(values.get("factors", {})),
        one_hot=tuple(_one_hot(column, each) for column, each in one_hot.items()),
        oom=OutOfMemory(oom["column"], tuple(oom.get("values", ()))) if (oom := values.get("oom")) else None,
    )


def _features(values: list[str] | dict[str, str]) -> dict[str, str]:
    return dict(values) if isinstance(values, dict) else {name: name for name in values}


def _one_hot(column: str, values: dict[str, Any]) -> OneHot:
    pattern = _pattern(values.get("pattern"), f"one_hot.{column}.pattern")
    if (pattern is None) is ("places" in values):
        raise UsageError(f"one_hot.{column}: give both pattern and places, or neither")
    return OneHot(column, pattern, values.get("places", 1), tuple(values["values"]))


def _pattern(text: str | None, key: str) -> re.Pattern[str] | None:
    return None if text is None else compiled(text, key)


def _check_consistent(mapping: Mapping) -> None:
    if mapping.columns is not None and (unknown := [name for name in mapping.named if name not in mapping.columns]):
        raise UsageError(f"columns: lacks {unknown[0]!r}, which is named elsewhere; add it in its position")
    if mapping.held and mapping.features is None:
        raise UsageError("held: needs the features; list them under features")
    if mapping.features is None:
        refuse_collisions((), mapping.metrics, mapping.input_size)
    else:
        _check_features(mapping, mapping.features)


def _check_features(mapping: Mapping, features: Values[str, str]) -> None:
    encoded = {each.column: each for each in mapping.one_hot}
    if not features and not encoded:
        raise UsageError("features: is empty, and there is no one_hot; name a column to train on")
    _check_known(mapping, features)
    for factor, column in mapping.factors.items():
        if column in features.values() or factor in features:
            raise UsageError(f"factors: {factor!r} is among the features, too; remove it there")
    for name in features.values():
        if mapping.oom and name == mapping.oom.column:
            raise UsageError(f"features: {name!r} is the column of oom; remove it, since predictions do not know it")
        if name in mapping.measured:
            raise UsageError(f"features: {name!r} is a metric; remove it, or it would be predicted from itself")
        if name in encoded:
            raise UsageError(f"features: {name!r} is also listed under one_hot; remove it here")
    every = [*features, *(name for each in mapping.one_hot for name in each.features)]
    refuse_collisions(every, mapping.metrics, mapping.input_size)


def _check_known(mapping: Mapping, features: Values[str, str]) -> None:
    """Refuse names of features that the mapping does not list."""
    compared = [*mapping.implausible, *(name for others in mapping.implausible.values() for name in others)]
    for key, names in (("implausible", compared), ("held", mapping.held)):
        for name in names:
            if name not in features:
                raise UsageError(f"{key}: {name!r} is not among the features; add it there")
