"""Which column of a table is what: the id, the metrics, the factors, and among these the network and the build."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError
from perfcast.pages import formatting as fmt
from perfcast.studies.factors.cells import kind_of, levels_in, without_markers
from perfcast.studies.study import listed_names
from perfcast.tables.reading import TABLE
from perfcast.tables.text_tables import ROW
from perfcast.tables.units import Unit, name_without_unit, quantities_in, unit_in_name
from perfcast.text import escape_control, format_list, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from perfcast.studies.factors.cells import Kind

MAX_LEVELS = 50
"""Of a factor that no option names: a column with more is taken for something else."""
_METRICS = ("time", "memory", "power", "energy")
_NETWORK = re.compile(r"network|model|architecture|^net$", re.IGNORECASE)
_BUILD = re.compile(r"build|version|commit|release|revision", re.IGNORECASE)
_ID = re.compile(r"(^|[^A-Za-z])(id|ID|Id)$|[a-z](Id|ID)$")
_NAMED = 12
_DIFFERENT = 0.8
_MAX_LENGTH = 80


def factor_name(column: str) -> str:
    """Return what to call a column in a sentence, without its unit."""
    return escape_control(name_without_unit(column).replace("_", " "))


@dataclass(frozen=True)
class Metric:
    """What was measured: its column and its unit, None where nothing says it."""

    column: str
    unit: Unit | None

    @property
    def label(self) -> str:
        """What to call it, with its unit."""
        return f"{self.name} ({self.unit.symbol})" if self.unit else self.name

    @property
    def name(self) -> str:
        """What to call it, without its unit."""
        return factor_name(self.column)

    def text(self, value: float) -> str:
        """Return a value with its unit."""
        return f"{fmt.number(value)}{fmt.SPACE}{self.unit.symbol}" if self.unit else fmt.number(value)


PERFORMANCE = Metric("Performance", Unit("1/(GB·s)", "rate", 1.0))
"""10⁶ / (memory in MB × time in ms), higher where both are lower: 1 MB·ms is 10⁻⁶ GB·s."""


@dataclass(frozen=True)
class Roles:
    """Which column is what.

    Attributes:
        metrics: what was measured, and `PERFORMANCE` where that is a time and a memory.
        factors: what varied, the network and the build included, in the order of the table.
        numeric: those of the factors whose levels are numbers.
        network: the factor that says which network ran; empty for none.
        build: the factor that says which build ran it; empty for none.
        id: the column that names a row; empty for none.
        constant: what did not vary, as (column, its one level).
        notes: sentences about columns that are none of these.
    """

    metrics: tuple[Metric, ...]
    factors: tuple[str, ...]
    numeric: tuple[str, ...] = ()
    network: str = ""
    build: str = ""
    id: str = ""
    constant: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def first(self, quantity: str) -> Metric | None:
        """Return the first metric of a quantity, such as `time`; None without one."""
        return next((each for each in self.metrics if each.unit and each.unit.quantity == quantity), None)

    @property
    def measured(self) -> tuple[Metric, ...]:
        """The metrics that are columns of the table."""
        return tuple(metric for metric in self.metrics if metric is not PERFORMANCE)

    def label_of(self, factor: str) -> str:
        """Return what to call a factor on an axis, with its unit."""
        return Metric(factor, unit_in_name(factor)).label

    def without(self, names: Sequence[str]) -> Roles:
        """Return the roles without some of the factors."""
        kept = tuple(name for name in self.factors if name not in names)
        network, build = (name if name in kept else "" for name in (self.network, self.build))
        return replace(self, factors=kept, network=network, build=build)


@dataclass(frozen=True)
class Asked:
    """What the options name; empty for what is to be found."""

    metrics: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()
    network: str = ""
    build: str = ""
    id: str = ""


def asked_of(options: Mapping[str, Any]) -> Asked:
    """Return what the study's options name: lists have commas between the columns."""
    single = {name: options.get(name) or "" for name in ("network", "build", "id")}
    return Asked(listed_names(options.get("metrics")), listed_names(options.get("factors")), **single)


def find_roles(table: pd.DataFrame, asked: Asked) -> Roles:
    """Return the roles of a table's columns: those that options name, and for the rest what names and cells suggest.

    A metric is a column of numbers whose name or cells have a unit of time, memory, power or energy.

    Raises:
        UsageError: an option names a column that is missing, or there is no metric.
    """
    columns = {name: without_markers(table[name]) for name in table if name not in (ROW, TABLE)}
    _refuse_missing(asked, list(columns))
    kinds = {name: "text" if _has_versions(name, column) else kind_of(column) for name, column in columns.items()}
    row_id = asked.id or next((name for name in columns if _ID.search(name) and _differs(columns[name])), "")
    metrics = _metrics(columns, kinds, asked, row_id)
    taken = {row_id, *(metric.column for metric in metrics)}
    rest = {name: column for name, column in columns.items() if name not in taken}
    levels = {name: levels_in(column, kinds[name]) for name, column in rest.items() if _may_vary(kinds[name])}
    factors, constant, notes = _factors(levels, asked)
    notes += _unused(kinds, rest)
    network = asked.network or _named_like(_NETWORK, [name for name in factors if kinds[name] == "text"])
    build = asked.build or _named_like(_BUILD, [name for name in factors if name != network])
    numeric = tuple(name for name in factors if kinds[name] == "numbers" and name != network)
    if _has_both(metrics) and PERFORMANCE.column not in columns:
        metrics = (*metrics, PERFORMANCE)
    return Roles(metrics, factors, numeric, network, build, row_id, constant, tuple(notes))


def _has_both(metrics: Sequence[Metric]) -> bool:
    return {"time", "memory"} <= {metric.unit.quantity for metric in metrics if metric.unit}


def _refuse_missing(asked: Asked, columns: list[str]) -> None:
    single = (("network", asked.network), ("build", asked.build), ("id", asked.id))
    lists = (("metrics", asked.metrics), ("factors", asked.factors))
    named = [(option, name) for option, name in single if name]
    for option, name in [*named, *((option, name) for option, names in lists for name in names)]:
        if name not in columns:
            listed = format_list([escape_control(each) for each in columns[:_NAMED]], len(columns))
            raise UsageError(f"--{option}: there is no column {name!r}; there are {listed}")


def _has_versions(name: str, column: pd.Series) -> bool:
    """Return whether a column holds versions as texts: 2.9 comes before 2.21, though it is the larger number."""
    return bool(_BUILD.search(name)) and any(isinstance(value, str) and "." in value for value in column)


def _differs(column: pd.Series) -> bool:
    """Return whether nearly all values differ: a row that is there twice does not make an id a factor."""
    return bool(len(column) and column.map(str).nunique() >= _DIFFERENT * len(column))


def _may_vary(kind: Kind) -> bool:
    return kind in ("numbers", "text")


def _metrics(columns: dict[str, pd.Series], kinds: dict[str, Kind], asked: Asked, row_id: str) -> tuple[Metric, ...]:
    if asked.metrics:
        return tuple(Metric(name, _unit(name, columns[name])) for name in asked.metrics)
    found = []
    for name, column in columns.items():
        unit = _unit(name, column)
        taken = name == row_id or name in (*asked.factors, asked.network, asked.build)
        if not taken and unit and unit.quantity in _METRICS and kinds[name] != "nested":
            found.append(Metric(name, unit))
    if not found:
        names = format_list([escape_control(name) for name in list(columns)[:_NAMED]], len(columns))
        raise UsageError(
            f"no column has a unit of time or memory in its name, such as `Time (ms)`; name what was measured with "
            f"--metrics; there are {names}"
        )
    return tuple(found)


def _unit(name: str, column: pd.Series) -> Unit | None:
    """Return a column's unit: that of its name, else the commonest one of its cells."""
    if (unit := unit_in_name(name)) is not None:
        return unit
    known = column.dropna()
    found = [unit for unit in quantities_in(known)[1] if unit]
    return max(set(found), key=lambda unit: (found.count(unit), unit.symbol)) if len(found) > len(known) / 2 else None


def _factors(
    levels: dict[str, pd.Series], asked: Asked
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], list[str]]:
    """Return the factors, what is constant, and notes about columns with too many levels."""
    factors, constant, notes = [], [], []
    named = {*asked.factors, asked.network, asked.build}
    for name, column in levels.items():
        count = column.nunique()
        if asked.factors and name not in named:
            continue
        if count == 1:
            constant.append((name, level_text(column.dropna().iloc[0])))
        elif count <= MAX_LEVELS or name in named:
            factors.append(name)
        else:
            notes.append(f"{escape_control(name)} has {count:,} values: not taken for a factor (--factors names them)")
    return tuple(factors), tuple(constant), notes


def _unused(kinds: dict[str, Kind], rest: dict[str, pd.Series]) -> list[str]:
    notes = []
    for name in rest:
        if kinds[name] == "nested":
            notes.append(f"{escape_control(name)} holds mappings or lists, not one value per row: not analysed")
        elif kinds[name] == "empty":
            notes.append(f"{escape_control(name)} is missing in all rows: not analysed")
        elif kinds[name] == "quantities":
            notes.append(f"{escape_control(name)} holds quantities with units: not taken for a factor")
    return notes


def _named_like(pattern: re.Pattern[str], names: Sequence[str]) -> str:
    return next((name for name in names if pattern.search(name)), "")


def level_text(level: object) -> str:
    """Return a level as people read it: 5 for 5.0."""
    return f"{level:.10g}" if isinstance(level, float) else shorten(escape_control(level), _MAX_LENGTH)
