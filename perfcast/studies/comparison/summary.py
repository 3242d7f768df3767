"""What a comparison found, in sentences and a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from perfcast.pages import Column, Row, Table, text_row
from perfcast.studies.comparison.comparison import FASTER, SAME, SLOWER, UNDECIDED
from perfcast.studies.statistics.significance import p_number
from perfcast.text import format_number, pluralize, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.studies.comparison.comparison import Comparison

_LISTED = 30
_NAMED = 5
_MAX_LENGTH = 60
_MARKS = {SLOWER: "bad", FASTER: "own"}
_UNKNOWN = "—"


def summary(comparison: Comparison) -> tuple[str | Table, ...]:
    """Return what to print: what was compared, the models that changed most, and what follows."""
    every = models_table(comparison)
    rows = every.rows if len(every.rows) <= _LISTED else every.rows[: _LISTED // 2] + every.rows[-_LISTED // 2 :]
    lines: list[str | Table] = [*preface(comparison), Table(every.caption, every.columns, rows)]
    if len(rows) < len(every.rows):
        lines.append(f"… {len(every.rows) - len(rows)} models between these are not shown; --out FILE lists all")
    return (*lines, *conclusions(comparison))


def models_table(comparison: Comparison) -> Table:
    """Return one row per model, the worst first."""
    unit = unit_of(comparison)
    numbers = (f"A, {unit}", f"B, {unit}", "B/A", "net B/A", "95% interval", "p")
    columns = (Column("model", numeric=False), *map(Column, numbers), Column("outcome", numeric=False))
    caption = f"Models by their {'' if comparison.undecided else 'net '}ratio"
    return Table(caption, columns, tuple(_row(row) for row in comparison.labelled.itertuples()))


def unit_of(comparison: Comparison) -> str:
    """Return the unit of what is compared."""
    return comparison.pairs.column.rpartition("_")[2].replace("mb", "MB")


def _row(row: Any) -> Row:
    return text_row(
        str(row.label),
        format_number(row.a),
        format_number(row.b),
        f"{row.ratio:.3f}",
        *((_UNKNOWN,) * 3 if row.outcome == UNDECIDED else _net(row)),
        "" if row.outcome == SAME else row.outcome,
        mark=_MARKS.get(row.outcome, ""),
    )


def _net(row: Any) -> tuple[str, str, str]:
    p_value = min(row.slower_p, row.faster_p)
    return f"{row.net_ratio:.3f}", f"{row.low:.3f} to {row.high:.3f}", p_number(p_value)


def preface(comparison: Comparison) -> list[str]:
    """Return what was compared, and what differs besides the models' numbers."""
    pairs = comparison.pairs
    lines = [
        f"{name}: {shorten(a, _MAX_LENGTH)} in A, {shorten(b, _MAX_LENGTH)} in B"
        for name, (a, b) in pairs.differences.items()
    ]
    lines = ["what differs: " + "; ".join(lines)] if lines else ["what differs: no factor"]
    alone = [f", {count} only in {side}" for side, count in zip("AB", pairs.alone, strict=True) if count]
    lines.append(f"models compared by {pairs.column}: {len(pairs.a)} in both{''.join(alone)}")
    for side, reasons in zip("AB", pairs.left_out, strict=True):
        if reasons:
            lines.append(f"excluded from {side}: {_counted(reasons)}")
    if pairs.identical:
        lines.append(f"not compared: {pluralize(pairs.identical, 'model')} with the same samples in both, reused")
    return lines


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items())


def conclusions(comparison: Comparison) -> list[str]:
    """Return what follows: regressions, improvements, and what was taken for the machine's."""
    if comparison.undecided:
        return [f"nothing is decided: {comparison.undecided}"]
    lines = [line for line in (_of_the_machine(comparison),) if line]
    options, models = comparison.options, comparison.models
    beyond = f"beyond {options.threshold:.0%}"
    for kind, names in (("regression", comparison.regressions), ("improvement", comparison.improvements[::-1])):
        if names:
            ratios = comparison.labelled.set_index("label")["net_ratio"]
            told = ", ".join(f"{name} {ratios[name]:.2f}" for name in names[:_NAMED])
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            lines.append(f"{kind} {beyond}: {len(names)} of {len(models)} models, {told}{more}")
    if not comparison.has_regressed:
        found = f"a change of one model would probably be found from {comparison.detectable:.0%} on"
        lines.append(f"no significant regression {beyond}; {found}")
    return lines


def _of_the_machine(comparison: Comparison) -> str:
    """Say what was taken for the machine's, and what for all models'."""
    together = comparison.together
    timed = not math.isnan(comparison.calibration)
    calibration = f", of the calibration workload {comparison.calibration:.3f}" if timed else ""
    if together is None:
        return f"B/A of the calibration workload {comparison.calibration:.3f}" if timed else ""
    said = f"B/A of the typical model {together.ratio:.3f}{calibration}"
    interval = f"the models' own part is {together.low:.3f} to {together.high:.3f}"
    if together.outcome == SAME:
        return f"{said}; {interval}: attributed to the machine"
    return f"{said}; {interval}: all are {together.outcome}"
