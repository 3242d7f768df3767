"""What was found, in sentences with their numbers and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.pages.formatting import number, percent
from perfcast.studies.scaling.consistency import divisor_sentences, outlier_sentence
from perfcast.studies.scaling.units import unit_for
from perfcast.studies.statistics.significance import p_text
from perfcast.text import format_list, format_number, pluralize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.studies.scaling.analysis import Analysis
    from perfcast.studies.scaling.thresholds import Thresholds
    from perfcast.studies.statistics.changepoints import Break

_NAMED = 5


def answer(analyses: Sequence[Analysis]) -> str:
    """Return the document's question answered in a sentence: beyond which range scaling changes."""
    found = [(each, threshold) for each in analyses for threshold in each.thresholds if threshold.breaks]
    if not found:
        return f"No threshold was found: {_why_none(analyses)}."
    if len(analyses) == 1:
        told = [_threshold(threshold) for _, threshold in found]
        return f"{_upper('; '.join(told))}."
    names = list(dict.fromkeys(threshold.curve.factor.name for _, threshold in found))
    return f"{_upper('; '.join(_over_sets(name, found, len(analyses)) for name in names))}."


def _why_none(analyses: Sequence[Analysis]) -> str:
    tested = [each for analysis in analyses for each in analysis.thresholds]
    if any(not each.undecided for each in tested):
        return "as far as the data tells, each exponent is the same over the whole range"
    return "no factor has enough levels and combinations to tell one from noise"


def _over_sets(name: str, found: Sequence[tuple[Analysis, Thresholds]], total: int) -> str:
    own = [threshold for _, threshold in found if threshold.curve.factor.name == name]
    levels = sorted(each.level for threshold in own for each in threshold.breaks)
    low, high = format_number(levels[0]), format_number(levels[-1])
    where = f"at {low}" if low == high else f"at {low} to {high}"
    slower = sum(each.after < each.before for threshold in own for each in threshold.breaks)
    how = "more slowly beyond" if slower == len(levels) else "faster beyond" if not slower else "otherwise beyond"
    return f"scaling with {name} changes in {len(own)} of {total} data sets, {where}: time grows {how}"


def _threshold(threshold: Thresholds) -> str:
    return f"with {threshold.curve.factor.name}, " + " and ".join(_break(each) for each in threshold.breaks)


def _break(found: Break) -> str:
    return (
        f"the exponent changes from {found.before:.2f} to {found.after:.2f} at {format_number(found.level)} "
        f"({place_of(found)}, {p_text(found.p_value)})"
    )


def place_of(found: Break) -> str:
    """Return the interval of a threshold in words."""
    low, high = format_number(found.low), format_number(found.high)
    return "no other place fits" if low == high else f"95 % interval {low} to {high}"


def findings(analysis: Analysis) -> tuple[str, ...]:
    """Return the findings on one data set, a sentence each, without those on claims."""
    return (
        _what(analysis),
        *_of_laws(analysis),
        *_without_logarithm(analysis),
        *_of_thresholds(analysis),
        *_of_spread(analysis),
    )


def _what(analysis: Analysis) -> str:
    observations = analysis.observations
    unit = unit_for(observations)
    cells = observations.cells
    ranges = [
        f"{factor.name} {format_number(float(levels[0]))} to {format_number(float(levels[-1]))} ({len(levels)} levels)"
        for factor in observations.factors
        for levels in [observations.levels(factor)]
    ]
    span = f"{unit.show(float(cells['time'].min()))} to {unit.show(float(cells['time'].max()))}"
    return (
        f"{pluralize(observations.seen, 'measurement')} of {pluralize(len(cells), 'combination')}: "
        f"{', '.join(ranges)}. {observations.time} is {span}."
    )


def _of_laws(analysis: Analysis) -> list[str]:
    laws = analysis.laws
    if laws.missing:
        return [f"No scaling law was fitted: {laws.missing}."]
    told = [
        f"{factor.name}^{each.value:.2f}" + (f" ({each.low:.2f} to {each.high:.2f})" if each.low == each.low else "")
        for factor, each in laws.exponents.items()
    ]
    best = laws.laws[0]
    others = [law.name for law in laws.as_good if law is not best]
    alike = f"; {', '.join(others)} cannot be told from it" if others else ""
    beyond = f", {percent(best.levels)} where whole levels are" if best.levels == best.levels else ""
    return [
        f"As one power law, time grows as {' · '.join(told)} (95 % intervals, robust to unequal scatter), which "
        f"explains {percent(100 * laws.explained)} of the variance of its logarithm.",
        f"The {best.name} law predicts best: off by {percent(best.cells)} on average where a combination is held "
        f"out{beyond}{alike}.",
    ]


def _without_logarithm(analysis: Analysis) -> list[str]:
    observations = analysis.observations
    names = [factor.name for factor in observations.factors if factor not in observations.scaled]
    return [f"Values of 0 or less: {', '.join(names)}; not part of laws and thresholds."] if names else []


def _of_thresholds(analysis: Analysis) -> list[str]:
    told = [
        f"{_upper(_threshold(each))}; change of slope tested on {each.curve.basis}."
        for each in analysis.thresholds
        if each.breaks
    ]
    told += [
        f"No threshold was found over {each.curve.factor.name}: a change of the exponent by {number(each.detectable)} "
        "or more would probably be found (80 %)."
        for each in analysis.thresholds
        if not each.breaks and not each.undecided
    ]
    told += [f"Over {each.curve.factor.name}: {each.undecided}." for each in analysis.thresholds if each.undecided]
    return told


def _of_spread(analysis: Analysis) -> list[str]:
    """Return where times scatter more at some levels than at others, in the time's own unit and relative to it."""
    found = {(each.factor, each.scale): each for each in analysis.spreads}
    told = []
    for factor in analysis.observations.factors:
        absolute, relative = found.get((factor, "absolute")), found.get((factor, "relative"))
        if absolute is None or relative is None:
            continue
        told.append(
            f"Scatter by {factor.name}: the standard deviation at the highest level is {number(absolute.ratio)} times "
            f"that at the lowest (equal at all levels: {p_text(absolute.differs_p)}, Brown-Forsythe, after Holm's "
            f"correction); relative to the time {number(relative.ratio)} times ({p_text(relative.differs_p)})."
        )
    return told


def consistency(analyses: Sequence[Analysis]) -> tuple[str, ...]:
    """Return what does not fit together, and what was checked and does, a sentence each."""
    outliers = [outlier_sentence(each.observations, each.outliers) for each in analyses]
    checked = [each.observations.label for each in analyses if not each.outliers]
    none = (
        [f"No combination is far off the others in {format_list(checked[:_NAMED], len(checked))}."] if checked else []
    )
    return (*divisor_sentences([each.observations for each in analyses]), *filter(None, outliers), *none)


def notes(analyses: Sequence[Analysis]) -> tuple[str, ...]:
    """Return what was left out or assumed, a sentence each: one of several data sets' once."""
    where: dict[str, list[str]] = {}
    for each in analyses:
        for note in each.observations.notes:
            where.setdefault(note, []).append(each.observations.label)
    return tuple(
        note if len(labels) == len(analyses) else f"{format_list(labels[:_NAMED], len(labels))}: {note}"
        for note, labels in where.items()
    )


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
