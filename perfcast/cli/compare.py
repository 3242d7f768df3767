"""The command `compare`."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfcast.cli.output import check_ending, show_table
from perfcast.errors import UsageError
from perfcast.storage import write_table
from perfcast.text import format_number, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.studies.comparison import Comparison

_REGRESSION = 1
_LISTED = 30
_NAMED = 5
_LONGEST = 60
_DATASET = click.Path(path_type=Path)


def _number(_: click.Context, option: click.Parameter, value: float) -> float:
    if math.isnan(value):  # Which is within any range.
        raise UsageError(f"--{option.name} nan: has to be a number")
    return value


@click.command()
@click.argument("first", metavar="A", type=_DATASET)
@click.argument("second", metavar="B", type=_DATASET)
@click.option("--metric", default="latency_ms", show_default=True, help="Column to compare, such as ram_run_peak_mb.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 10),
    default=0.05,
    show_default=True,
    callback=_number,
    help="By which share a model has to be slower, or larger, to count as a regression.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.05,
    show_default=True,
    callback=_number,
    help="Probability of a false alarm, over all models, where nothing changed.",
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="File for a row a model: .csv or .parquet."
)
def compare(first: Path, second: Path, metric: str, threshold: float, alpha: float, out: Path | None) -> None:
    """Say which models became slower, or larger, from dataset A to dataset B.

    A and B are files dataset.parquet, or folders of a target's results. Exit code 1 says that there is a significant
    regression beyond the threshold.
    """
    from perfcast.studies.comparison import Options, pair, read_dataset
    from perfcast.studies.comparison import compare as compared

    if out:
        check_ending(out)
    pairs = pair(read_dataset(first, metric), read_dataset(second, metric), metric)
    comparison = compared(pairs, Options(threshold, alpha))
    if out:
        write_table(out, comparison.models)
    _show(comparison)
    if comparison.regressions:
        sys.exit(_REGRESSION)


def _show(comparison: Comparison) -> None:
    for line in _preface(comparison):
        click.echo(line)
    unit = comparison.pairs.column.rpartition("_")[2].replace("mb", "MB")
    rows = [
        (
            row.model,
            format_number(row.a),
            format_number(row.b),
            f"{row.net_ratio:.3f}",
            f"{row.low:.3f} to {row.high:.3f}",
            _p_value(min(row.slower_p, row.faster_p)),
            "" if row.outcome == "same" else row.outcome,
        )
        for row in comparison.models.itertuples()
    ]
    headings = (f"A, {unit}", f"B, {unit}", "net B/A", "95% interval", "p")
    shown = rows if len(rows) <= _LISTED else rows[: _LISTED // 2] + rows[-_LISTED // 2 :]
    show_table({"model": "left", **dict.fromkeys(headings, "right"), "": "left"}, shown)
    if len(shown) < len(rows):
        click.echo(f"… {len(rows) - len(shown)} models between these are not shown; --out FILE lists all")
    for line in _conclusions(comparison):
        click.echo(line)


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _preface(comparison: Comparison) -> list[str]:
    pairs = comparison.pairs
    lines = [
        f"{name}: {shorten(a, _LONGEST)} in A, {shorten(b, _LONGEST)} in B"
        for name, (a, b) in pairs.differences.items()
    ]
    lines = ["what differs: " + "; ".join(lines)] if lines else ["what differs: no factor"]
    alone = [f", {count} only in {side}" for side, count in zip("AB", pairs.alone, strict=True) if count]
    lines.append(f"models compared by {pairs.column}: {len(pairs.a)} in both{''.join(alone)}")
    for side, reasons in zip("AB", pairs.left_out, strict=True):
        if reasons:
            lines.append(f"left out of {side}: {_counted(reasons)}")
    if pairs.identical:
        lines.append(f"{pairs.identical} of the models have the very same measurement in both: no repetition of it")
    return lines


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items())


def _conclusions(comparison: Comparison) -> list[str]:
    lines = [line for line in (_of_the_machine(comparison),) if line]
    options, models = comparison.options, comparison.models
    beyond = f"beyond {options.threshold:.0%}"
    for kind, names in (("regression", comparison.regressions), ("improvement", comparison.improvements[::-1])):
        if names:
            ratios = models.set_index("model")["net_ratio"]
            told = ", ".join(f"{name} {ratios[name]:.2f}" for name in names[:_NAMED])
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            lines.append(f"{kind} {beyond}: {len(names)} of {len(models)} models, {told}{more}")
    if not comparison.regressions:
        found = f"that of one model would likely be found from {comparison.detectable:.0%} on"
        lines.append(f"no significant regression {beyond}; {found}")
    return lines


def _of_the_machine(comparison: Comparison) -> str:
    """Say what was taken for the machine's, and what for all models'."""
    together, calibration = comparison.together, f"the calibration workload {comparison.calibration:.3f}"
    timed = not math.isnan(comparison.calibration)
    if together is None:
        return f"B/A of {calibration}: taken off as the machine's" if timed else ""
    said = f"B/A of the typical model {together.ratio:.3f}" + (f", of {calibration}" if timed else "")
    if math.isnan(together.net):
        return f"{said}; taken off as the machine's: too few visits tell it from a change of all models"
    said += f"; beyond that {together.net:.3f} ({together.low:.3f} to {together.high:.3f})" if timed else ""
    return f"{said}: " + ("taken off as the machine's" if together.outcome == "same" else f"all are {together.outcome}")
