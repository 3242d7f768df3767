"""Where the measurements were made, side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.pages import formatting as fmt
from perfcast.pages.tables import Cell, Row, Table, texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from perfcast.studies.prediction.inputs import ReportData

_ORDER = ("machine", "software", "settings", "variables")
_SHORT = 12
_MAX_SHOWN = 6


@dataclass(frozen=True)
class EnvironmentView:
    """The environments as one table, and what to warn of."""

    table: Table
    warnings: tuple[str, ...]


def environment_view(data: ReportData) -> EnvironmentView:
    """Return the environments of most measurements, one column each, rows that differ marked."""
    named = data.dataset["environment"].dropna().value_counts() if "environment" in data.dataset else {}
    counts = {str(digest): int(count) for digest, count in named.items()}
    given = [digest for digest in counts if digest in data.environments]
    shown = {digest: dict(_flat(data.environments[digest])) for digest in given[:_MAX_SHOWN]}
    keys = sorted({key: None for facts in shown.values() for key in facts}, key=_rank)
    rows = tuple(_row(key, shown) for key in keys)
    heads = (f"{digest[:_SHORT]} ({fmt.pluralize(counts[digest], 'measurement')})" for digest in shown)
    columns = texts("Fact", *heads)
    table = Table("Environments of the measurements", columns, rows, "No environment was recorded for this dataset.")
    return EnvironmentView(table, tuple(_warnings(data, counts, given)))


def _warnings(data: ReportData, counts: Mapping[str, int], given: Sequence[str]) -> Iterator[str]:
    if len(counts) > 1:
        yield (
            f"The measurements were made in {len(counts)} different environments. "
            "Numbers from them compare only as far as the marked differences do not matter."
        )
    if len(given) > _MAX_SHOWN:
        yield f"Only the {_MAX_SHOWN} environments with the most measurements are shown."
    for refused in dict.fromkeys(data.environments[digest]["settings"].get("refused") for digest in given):
        if refused:
            yield f"Settings that the target asks for could not be applied: {refused}."
    for digest in sorted(set(counts) - set(given)):
        count = fmt.pluralize(counts[digest], "measurement")
        yield f"Environment {digest[:_SHORT]} of {count} is missing from the store."


def _row(key: str, shown: Mapping[str, Mapping[str, str]]) -> Row:
    texts = [facts.get(key, fmt.MISSING) for facts in shown.values()]
    differs = len(set(texts)) > 1
    return Row((Cell(_heading(key)), *(Cell(text) for text in texts)), "warn" if differs else "")


def _heading(key: str) -> str:
    return " › ".join(part.replace("_", " ") for part in key.removesuffix("_bytes").split("\0"))


def _rank(key: str) -> int:
    group = key.partition("\0")[0]
    return _ORDER.index(group) if group in _ORDER else len(_ORDER)


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
