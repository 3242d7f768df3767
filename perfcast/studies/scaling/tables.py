"""The tables of the page: laws, exponents, thresholds, spread, levels and verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.pages import Table, text_row
from perfcast.pages import formatting as fmt
from perfcast.pages.tables import numbers, texts
from perfcast.studies.scaling.laws import FORMULAS
from perfcast.studies.scaling.profiles import level_ranges
from perfcast.studies.scaling.sentences import place_of
from perfcast.studies.scaling.units import Unit, unit_for, unit_of_time
from perfcast.studies.statistics.changepoints import Break
from perfcast.studies.statistics.regression import Estimate
from perfcast.studies.statistics.significance import p_number, p_text
from perfcast.text import format_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from perfcast.pages import Row
    from perfcast.studies.scaling.analysis import Analysis
    from perfcast.studies.scaling.columns import Factor
    from perfcast.studies.scaling.thresholds import Thresholds


def laws_table(analysis: Analysis) -> Table:
    """Return the laws by the error of combinations held out."""
    as_good = analysis.laws.as_good
    rows = tuple(
        text_row(
            law.name,
            FORMULAS[law.name],
            fmt.number(law.cells),
            fmt.number(law.levels),
            "best" if place == 0 else "as good, as far as the data tells" if law in as_good else "worse",
            mark="own" if place == 0 else "",
        )
        for place, law in enumerate(analysis.laws.laws)
    )
    columns = (
        *texts("Law", "Formula"),
        *numbers("Error of combinations held out, %", "Error of levels held out, %"),
        *texts("Result"),
    )
    return Table("Scaling laws in all factors at once", columns, rows, empty=f"None: {analysis.laws.missing}.")


def exponents_table(analysis: Analysis) -> Table:
    """Return the exponents of the power law and the thresholds, by factor."""
    rows = []
    for found in analysis.thresholds:
        exponent = analysis.laws.exponents.get(found.curve.factor)
        shown = (fmt.MISSING,) * 2
        if exponent is not None:
            shown = (fmt.number(exponent.value), _interval(exponent))
        rows.append(text_row(found.curve.factor.axis, *shown, thresholds_in_words(found), found.curve.basis))
    columns = (
        *texts("Factor"),
        *numbers("Exponent", "95 % interval"),
        *texts("Thresholds", "Rests on", wide=True),
    )
    return Table("Exponents of the power law, and where they change", columns, tuple(rows), empty="No factor has any.")


def _interval(found: Estimate) -> str:
    return fmt.MISSING if np.isnan(found.low) else f"{found.low:.2f} to {found.high:.2f}"


def thresholds_in_words(found: Thresholds) -> str:
    """Return where the exponent of a factor changes, in words."""
    if found.undecided:
        return f"undecided: {found.undecided}"
    if not found.breaks:
        return f"none found; a change of the exponent by {fmt.number(found.detectable)} probably would be"
    return "; ".join(
        f"{format_number(each.level)} ({place_of(each)}): exponent {each.before:.2f} below, {each.after:.2f} above ("
        f"{p_text(each.p_value)})"
        for each in found.breaks
    )


def spread_table(analysis: Analysis) -> Table:
    """Return how scatter depends on each factor, on each scale."""
    rows = tuple(
        text_row(
            each.factor.label,
            each.scale,
            fmt.number(each.ratio),
            p_number(each.differs_p),
            f"{'up' if each.grows else 'down'}, {p_text(each.trend_p)}",
        )
        for each in analysis.spreads
    )
    columns = (
        *texts("Factor", "Scatter"),
        *numbers("Highest level / lowest", "Brown-Forsythe, p"),
        *texts("Trend"),
    )
    caption = "Scatter by factor: ratio of standard deviations; p-values adjusted over this table (Holm)"
    return Table(caption, columns, rows, empty="Too few times at each level.")


def levels_table(analysis: Analysis) -> Table:
    """Return the times at each level of each factor, and per input where it is known how many there are."""
    unit = unit_for(analysis.observations)
    per_input = _per_input_unit(analysis)
    rows = tuple(
        row for factor in analysis.observations.factors for row in _level_rows(analysis, factor, unit, per_input)
    )
    times = (f"Median, {unit.name or 'unit not stated'}", f"Standard deviation, {unit.name or 'unit not stated'}")
    more = (f"Median per input, {per_input.name}",) if per_input else ()
    count = "Measurements" if len(analysis.observations.rows) == analysis.observations.seen else "Measurements, sample"
    columns = (*texts("Factor"), *numbers("Level", count, *times, *more))
    return Table("Time at each level", columns, rows)


def _per_input_unit(analysis: Analysis) -> Unit | None:
    cells = analysis.observations.cells
    if not analysis.observations.has_unit or not (cells["inputs"] > 0).all():
        return None
    return unit_of_time(float(np.median(cells["time"] / cells["inputs"])))


def _level_rows(analysis: Analysis, factor: Factor, unit: Unit, per_input: Unit | None) -> Iterator[Row]:
    rows = analysis.observations.rows
    places, levels = level_ranges(rows[factor.column].to_numpy(float))
    for place, level in enumerate(levels):
        here = rows[places == place]
        times = here["time"] / unit.seconds
        shown = [format_number(level), fmt.whole(len(here)), fmt.number(times.median()), fmt.number(times.std(ddof=1))]
        if per_input is not None:
            shown.append(fmt.number((here["time"] / here["inputs"]).median() / per_input.seconds))
        yield text_row(factor.label, *shown)


def verdicts_table(analyses: Sequence[Analysis]) -> Table:
    """Return the verdict on each claim for each data set."""
    statements = list(dict.fromkeys(claim.statement for each in analyses for claim in each.claims))
    verdicts = [{claim.statement: claim.verdict for claim in each.claims} for each in analyses]
    rows = tuple(
        text_row(statement, *(found.get(statement, fmt.MISSING) for found in verdicts)) for statement in statements
    )
    columns = (*texts("Claim of the document", wide=True), *texts(*(each.observations.label for each in analyses)))
    return Table("Verdict on each claim, by data set", columns, rows, empty="No data set has the document's factors.")


def factors_frame(analyses: Sequence[Analysis]) -> pd.DataFrame:
    """Return the numbers: one row per data set and factor."""
    return pd.DataFrame([row for each in analyses for row in _factor_rows(each)])


def _factor_rows(analysis: Analysis) -> Iterator[dict[str, object]]:
    thresholds = {each.curve.factor: each for each in analysis.thresholds}
    spreads = {(each.factor, each.scale): each for each in analysis.spreads}
    for factor in analysis.observations.factors:
        exponent, spread = analysis.laws.exponents.get(factor, Estimate(np.nan)), spreads.get((factor, "absolute"))
        breaks = thresholds[factor].breaks if factor in thresholds else ()
        first = breaks[0] if breaks else Break(*(np.nan,) * 6)
        correlated = {name: matrix[factor.column].iloc[-1] for name, matrix in analysis.correlations.items()}
        yield {
            "data_set": analysis.observations.label,
            "factor": factor.column,
            "levels": len(analysis.observations.levels(factor)),
            **{name: float(value) for name, value in correlated.items()},
            "exponent": exponent.value,
            "exponent_low": exponent.low,
            "exponent_high": exponent.high,
            "thresholds": len(breaks),
            "threshold": first.level,
            "threshold_low": first.low,
            "threshold_high": first.high,
            "exponent_before": first.before,
            "exponent_after": first.after,
            "spread_ratio": spread.ratio if spread else np.nan,
            "spread_p": spread.differs_p if spread else np.nan,
            "best_law": analysis.laws.laws[0].name if analysis.laws.laws else None,
        }
