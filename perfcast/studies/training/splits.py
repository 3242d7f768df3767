"""What training steps hold at their peak, as `perfcast profile --split` writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.bench.memory_splits import COLUMNS
from perfcast.bench.profiles import KEYS
from perfcast.errors import UsageError
from perfcast.network.training_memory import KINDS
from perfcast.pages import Section, Table, text_row
from perfcast.pages import formatting as fmt
from perfcast.pages.tables import numbers, texts
from perfcast.studies.training.operations import place_of, read_table, workload_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from perfcast.studies.training.memory import MemoryTrace

_MAX_LAYERS = 12
_UNMEASURED = "not measured"


@dataclass(frozen=True)
class Split:
    """The peak of a training step.

    Attributes:
        model, place, workload, batch: as of a `Breakdown`.
        layer, operation: that run at the peak.
        allocator_mb: predicted peak of the allocator.
        sizes: MB by layer (rows, the largest first) and kind (`KINDS`).
    """

    model: str
    place: str
    workload: str
    batch: int
    layer: str
    operation: str
    allocator_mb: float
    sizes: pd.DataFrame

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What it has in common with the trace of the same run."""
        return self.model, self.place, self.workload, self.batch


def read_splits(path: Path) -> tuple[Split, ...] | None:
    """Return the splits of a file, None of a folder or file that holds something else.

    Raises:
        UsageError: it has no rows, a size that is not a number, or an unknown kind.
    """
    table = read_table(path, COLUMNS)
    if table is None:
        return None
    sizes = table[["size_mb", "allocator_mb", "batch", "threads"]].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    if not len(table) or not (np.isfinite(sizes) & (sizes >= 0)).all():
        raise UsageError(f"{path}: not a split of memory: it has no rows, or a size that is not a positive number")
    if unknown := set(table["kind"]) - set(KINDS):
        named = fmt.escape_control(min(map(str, unknown)))
        raise UsageError(f"{path}: kind {named} is unknown; there are {', '.join(KINDS)}")
    return tuple(splits_of(table))


def splits_of(table: pd.DataFrame) -> Iterator[Split]:
    """Yield each split of a table (`COLUMNS`)."""
    for values, rows in table.fillna({"optimizer": ""}).groupby(list(KEYS), sort=False):
        about = dict(zip(KEYS, values, strict=True))
        first = rows.iloc[0]
        sizes = rows.pivot_table(index="layer", columns="kind", values="size_mb", aggfunc="sum", fill_value=0.0)
        sizes = sizes.reindex(columns=list(KINDS), fill_value=0.0)
        yield Split(
            fmt.escape_control(about["model"]),
            place_of(about),
            workload_of(about),
            int(about["batch"]),
            fmt.escape_control(first["peak_layer"]),
            fmt.escape_control(first["peak_operation"]),
            float(first["allocator_mb"]),
            sizes.loc[sizes.sum(axis=1).sort_values(ascending=False, kind="stable").index],
        )


def split_section(splits: Sequence[Split], traces: Sequence[MemoryTrace]) -> Iterator[Section]:
    """Yield the section of splits, beside the peaks that were measured in the same place; none without splits."""
    if splits:
        tables = (kinds_table(splits, traces), *map(layers_table, splits))
        yield Section("memory-split", "What the peak of a training step holds", split_sentences(splits), tables)


def split_sentences(splits: Sequence[Split]) -> tuple[str, ...]:
    """Return which layer and operation hold the peak of each."""
    return tuple(
        f"{each.model}, {each.workload}, batch {each.batch}: the peak is in {each.layer}, {each.operation}."
        for each in splits
    )


def kinds_table(splits: Sequence[Split], traces: Sequence[MemoryTrace]) -> Table:
    """Return the sizes of each kind, with the peak of the resident set where it was traced."""
    measured = {
        (each.model, each.place, each.workload, each.batch): each.peak_mb("first step", "steps") for each in traces
    }
    rows = tuple(
        text_row(
            f"{each.model}, {each.workload}, batch {each.batch}",
            each.place,
            *(fmt.number(each.sizes[kind].sum()) for kind in KINDS),
            fmt.number(each.allocator_mb),
            fmt.number(measured[each.key]) if each.key in measured else _UNMEASURED,
        )
        for each in splits
    )
    kinds = (f"{kind.capitalize().replace('_', ' ')}, MB" for kind in KINDS)
    columns = (
        *texts("Model", "Place"),
        *numbers(*kinds, "Allocator's peak, predicted, MB", "Resident set, measured, MB"),
    )
    return Table("Memory at the peak by kind, from the schedule, beside the measured peak", columns, rows)


def layers_table(split: Split) -> Table:
    """Return the sizes of the layers that hold most; the others are summed up."""
    shown, rest = split.sizes.iloc[:_MAX_LAYERS], split.sizes.iloc[_MAX_LAYERS:]
    parts = [(fmt.escape_control(name), sizes) for name, sizes in shown.iterrows()]
    if len(rest):
        parts.append((fmt.pluralize(len(rest), "other layer"), rest.sum()))
    rows = tuple(
        text_row(name, *(fmt.number(sizes[kind]) for kind in KINDS), fmt.number(sizes.sum())) for name, sizes in parts
    )
    columns = (*texts("Layer"), *numbers(*(f"{kind.capitalize().replace('_', ' ')}, MB" for kind in KINDS), "All, MB"))
    return Table(f"{split.model}, {split.workload}, batch {split.batch}: memory at the peak by layer", columns, rows)
