"""Which columns of a table are times and factors, whoever wrote the table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from perfcast.errors import UsageError
from perfcast.factors import CATEGORICAL, NUMERIC
from perfcast.tables.units import seconds_of, unit_in_name
from perfcast.text import format_list, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Kind = Literal["document", "sweep", "dataset", "other"]
Role = Literal["layers", "filter_size", "batch", "other"]

INPUTS_OF_DOCUMENT = 2000
"""Inputs that one mean time of the document covers, as its examples print it."""
DATASET_FEATURES = ("layers", "kernel_size_max", "filters_max", "input_size", "parameters", "macs", "sum_activations")
"""Features of the descriptor that may be factors of a dataset, the ones that a builder chooses first."""
_MAX_FACTORS = 8
_SHOWN, _MAX_LENGTH = 8, 60
_TIME_WORDS = ("time", "latency", "duration", "elapsed", "seconds")


@dataclass(frozen=True)
class Factor:
    """A number that varies from measurement to measurement.

    Attributes:
        column: in the table.
        label: as people read it, without a unit.
        role: what the document's claims call it.
        unit: of its values; empty for counts.
    """

    column: str
    label: str
    role: Role = "other"
    unit: str = ""

    @property
    def axis(self) -> str:
        """The title of an axis of it."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    @property
    def name(self) -> str:
        """The label within a sentence."""
        return self.label[:1].lower() + self.label[1:]


@dataclass(frozen=True)
class Form:
    """What the columns of one table mean.

    Attributes:
        kind: whose table it is: the document's, the sweep's, a perfcast dataset, or another.
        time: the column of what is analysed.
        seconds: one unit of it in s; None where its unit is unknown.
        total: the column of the total time, in the same unit; empty for none.
        factors: the columns that may vary.
        splits: columns of names that part the table into data sets of their own.
        inputs: how many inputs a time covers: a number, a column, or None where unknown.
    """

    kind: Kind
    time: str
    seconds: float | None
    total: str
    factors: tuple[Factor, ...]
    splits: tuple[str, ...] = ()
    inputs: float | str | None = None


@dataclass(frozen=True)
class Choices:
    """What a user says of the columns; empty or None where the study is to find it.

    Attributes:
        time: the column of times.
        factors: the columns of factors.
        splits: columns of names that part a table.
        unit: of the times.
        inputs: how many inputs a time covers.
    """

    time: str = ""
    factors: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    unit: str = ""
    inputs: int | None = None


_KNOWN: dict[str, tuple[str, Role, str]] = {
    "layers": ("Layers", "layers", ""),
    "totlayers": ("Layers", "layers", ""),
    "filtersize": ("Filter size", "filter_size", "positions"),
    "convsize": ("Filter size", "filter_size", "positions"),
    "convolutionsize": ("Filter size", "filter_size", "positions"),
    "kernelsize": ("Filter size", "filter_size", "positions"),
    "kernelsizemax": ("Largest filter size", "filter_size", "positions"),
    "batchsize": ("Batch size", "batch", "inputs"),
    "batch": ("Batch size", "batch", "inputs"),
    "trainingbatch": ("Training batch size", "batch", "inputs"),
    "filters": ("Filters", "other", ""),
    "filtersmax": ("Most filters", "other", ""),
    "inputsize": ("Input size", "other", "positions"),
    "channels": ("Channels", "other", ""),
    "threads": ("Threads", "other", ""),
    "clockmhz": ("Clock", "other", "MHz"),
    "macs": ("Multiply-accumulates", "other", ""),
    "sumactivations": ("Sum of activations", "other", "elements"),
    "parameters": ("Parameters", "other", "weights"),
}
"""Columns by their names without case and signs: label, role and unit."""
_INPUTS: dict[Kind, int | str] = {
    "document": INPUTS_OF_DOCUMENT,
    "sweep": "evaluation_inputs",
    "dataset": "batch",
}
_SWEPT = (
    *("layers", "filter_size", "batch", "training_batch", "filters", "input_size", "channels"),
    *("embedding", "vocabulary", "threads"),
)


def shown(name: object) -> str:
    """Return a name that a stranger wrote as one short line."""
    return one_line(str(name), _MAX_LENGTH)


def key(name: object) -> str:
    """Return a column's name without case, spaces and signs: `Batch Size`, `BatchSize` and `batch_size` are one."""
    return re.sub(r"[^a-z0-9]", "", str(name).casefold())


def factor_of(column: str) -> Factor:
    """Return a column as a factor, under the label that it is known by."""
    label, role, unit = _KNOWN.get(key(column), (_words(column), "other", ""))
    return Factor(column, label, role, unit)


def _time_unit(column: str) -> str:
    """Return the unit of time that a column's name ends in, such as `ms` of `latency_ms`; empty for none."""
    found = unit_in_name(column)
    return found.symbol if found and found.quantity == "time" else ""


def form_of(numeric: Mapping[str, bool], choices: Choices, origin: str) -> Form:
    """Return what the columns of a table mean.

    Args:
        numeric: whether each column can hold numbers, in the order of the table.
        choices: what the user says.
        origin: the table, for messages.

    Raises:
        UsageError: a column that the user names is missing, or no time can be found.
    """
    _refuse_missing(numeric, choices, origin)
    kind = _kind(numeric)
    time = choices.time or _time(numeric, kind, origin)
    unit = choices.unit or _time_unit(time) or ("s" if kind == "document" else "")
    total = _total(numeric, kind, time)
    splits = choices.splits or _splits(numeric, kind)
    factors = _factors(numeric, kind, choices, {time, total, *splits})
    inputs = choices.inputs or _INPUTS.get(kind)
    return Form(kind, time, seconds_of(unit) if unit else None, total, factors, splits, inputs)


def _refuse_missing(numeric: Mapping[str, bool], choices: Choices, origin: str) -> None:
    named = {"time": (choices.time,), "by": choices.splits, "factors": choices.factors}
    for option, columns in named.items():
        for column in filter(None, columns):
            if column not in numeric:
                have = format_list([shown(name) for name in list(numeric)[:_SHOWN]], len(numeric))
                raise UsageError(f"{origin}: no column {shown(column)}, which --{option} names; it has {have}")


def _kind(columns: Mapping[str, bool]) -> Kind:
    keys = {key(name) for name in columns}
    if {"measurement", "model", "latency_ms"} <= set(columns):
        return "dataset"
    if {"mean_s", "layers", "filter_size"} <= set(columns):
        return "sweep"
    if "layers" in keys and keys & {"meantime", "totaltime"}:
        return "document"
    return "other"


def _time(columns: Mapping[str, bool], kind: Kind, origin: str) -> str:
    if kind == "dataset":
        return "latency_ms"
    if kind == "sweep":
        return "mean_s"
    if kind == "document":
        return _keyed(columns, "meantime") or _keyed(columns, "totaltime")
    found = [name for name, is_numeric in columns.items() if is_numeric and _is_time(name)]
    if len(found) == 1:
        return found[0]
    listed = format_list([shown(name) for name in (found or list(columns))[:_SHOWN]], len(found or columns))
    why = f"has {len(found)} columns of times ({listed})" if found else f"has no column of times among {listed}"
    raise UsageError(f"{origin}: {why}; name one with --time COLUMN")


def _is_time(name: str) -> bool:
    return bool(_time_unit(name)) or any(word in name.casefold() for word in _TIME_WORDS)


def _total(columns: Mapping[str, bool], kind: Kind, time: str) -> str:
    wanted = {"document": "totaltime", "sweep": "totals"}.get(kind, "")
    found = _keyed(columns, wanted) if wanted else ""
    return "" if found == time else found


def _factors(columns: Mapping[str, bool], kind: Kind, choices: Choices, taken: set[str]) -> tuple[Factor, ...]:
    if choices.factors:
        return tuple(factor_of(name) for name in dict.fromkeys(choices.factors) if name not in taken)
    if kind == "document":
        names = [name for name in columns if key(name) in _KNOWN]
    elif kind == "sweep":
        names = [name for name in _SWEPT if name in columns]
    elif kind == "dataset":
        names = [name for name in (*NUMERIC, *DATASET_FEATURES) if name in columns]
    else:
        names = [name for name, numeric in columns.items() if numeric and not _is_time(name)]
    return tuple(factor_of(name) for name in names if name not in taken)


def _splits(columns: Mapping[str, bool], kind: Kind) -> tuple[str, ...]:
    if kind == "dataset":
        return tuple(name for name in CATEGORICAL if name in columns)
    return ("family",) if "family" in columns and kind in ("document", "sweep") else ()


def _keyed(columns: Sequence[str] | Mapping[str, bool], wanted: str) -> str:
    return next((name for name in columns if key(name) == wanted), "")


def _words(column: str) -> str:
    text = shown(column).replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def kept_factors(varying: Sequence[Factor], kind: Kind) -> tuple[Factor, ...]:
    """Return the factors to analyse of those that vary: all that a user's own table has room for."""
    return tuple(varying[:_MAX_FACTORS]) if kind in ("other", "dataset") else tuple(varying)
