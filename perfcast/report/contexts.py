"""Where the measurements were made, side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.report import formatting as fmt
from perfcast.report.tables import Cell, Column, Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from perfcast.report.inputs import ReportData

_ORDER = (
    "host",
    "os",
    "system",
    "cpu",
    "gpu",
    "accelerator",
    "kernel",
    "memory",
    "libraries",
    "packages",
    "load",
)
_SHORT = 12


@dataclass(frozen=True)
class ContextView:
    """The contexts as one table, and what to warn of."""

    table: Table
    warnings: tuple[str, ...]


def context_view(data: ReportData) -> ContextView:
    """Return every context that a measurement names, one column each, rows that differ marked."""
    named = data.dataset["context"].dropna().value_counts() if "context" in data.dataset else {}
    counts = {str(digest): int(count) for digest, count in named.items()}
    shown = {digest: dict(_flat(data.contexts[digest])) for digest in counts if digest in data.contexts}
    keys = sorted({key: None for facts in shown.values() for key in facts}, key=_rank)
    rows = tuple(_row(key, shown) for key in keys)
    columns = (
        Column("Fact", numeric=False),
        *(
            Column(f"{digest[:_SHORT]} ({fmt.counted(counts[digest], 'measurement')})", numeric=False)
            for digest in shown
        ),
    )
    table = Table("Contexts of the measurements", columns, rows, "No context was recorded for this dataset.")
    return ContextView(table, tuple(_warnings(counts, shown)))


def _warnings(counts: Mapping[str, int], shown: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    if len(counts) > 1:
        yield (
            f"The measurements were made in {len(counts)} different contexts. Numbers from different "
            "contexts compare only as far as the marked differences do not matter."
        )
    for digest in sorted(set(counts) - set(shown)):
        count = fmt.counted(counts[digest], "measurement")
        yield f"Context {digest[:_SHORT]} is named by {count} but was not given."


def _row(key: str, shown: Mapping[str, Mapping[str, str]]) -> Row:
    texts = [facts.get(key, fmt.MISSING) for facts in shown.values()]
    differs = len(set(texts)) > 1
    return Row((Cell(_heading(key)), *(Cell(text) for text in texts)), "differs" if differs else "")


def _heading(key: str) -> str:
    return " › ".join(part.replace("_", " ") for part in key.removesuffix("_bytes").split("\0"))


def _rank(key: str) -> tuple[int, str]:
    words = key.lower().replace("\0", "_").split("_")
    return next((rank for rank, word in enumerate(_ORDER) if word in words), len(_ORDER)), key


def _flat(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, (*path, str(key)))
    else:
        yield "\0".join(path), _shown(path[-1] if path else "", value)


def _shown(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key.endswith("_bytes") and fmt.is_number(value):
        return f"{fmt.whole(float(value) / 1e6)} MB"
    if isinstance(value, list):
        return (
            ", ".join(map(str, value))
            if all(not isinstance(item, (dict, list)) for item in value)
            else json.dumps(value)
        )
    if isinstance(value, float):
        return fmt.number(value)
    return fmt.MISSING if value in (None, "", {}) else str(value)
