"""The claims of the document on scaling, each tested on a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.pages.formatting import number, percent
from perfcast.studies.scaling.blocks import blocks_of, level_ratios, mean_ratio
from perfcast.studies.scaling.correlations import compare_correlations
from perfcast.studies.scaling.shapes import shapes_of
from perfcast.studies.statistics.claims import Claim
from perfcast.studies.statistics.significance import adjusted, p_text
from perfcast.text import format_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from perfcast.studies.scaling.blocks import Blocks
    from perfcast.studies.scaling.columns import Factor, Role
    from perfcast.studies.scaling.correlations import Difference
    from perfcast.studies.scaling.observations import Observations
    from perfcast.studies.scaling.spread import Spread
    from perfcast.studies.statistics.claims import Verdict
    from perfcast.studies.statistics.regression import Estimate

IMAGES, TEXT = "Fashion-MNIST", "text"


@dataclass(frozen=True)
class Rules:
    """When a claim counts as decided.

    Attributes:
        alpha: probability of a false verdict, over all claims on one data set.
        margin: relative difference in time, or difference of correlations, that does not matter.
    """

    alpha: float = 0.05
    margin: float = 0.1


@dataclass(frozen=True)
class _Tested:
    """A claim before p-values are adjusted for how many claims there are.

    Attributes:
        statement: what was claimed.
        p_value: of its test; NaN if it could not be tested.
        verdict: if the test is significant.
        evidence: the number and the test.
        otherwise: the verdict if it is not.
    """

    statement: str
    p_value: float
    verdict: Verdict
    evidence: str
    otherwise: Verdict = "open"


def judged_claims(observations: Observations, rules: Rules, spreads: Sequence[Spread]) -> tuple[Claim, ...]:
    """Return the document's claims that a data set has the factors for, with verdicts.

    P-values are adjusted over all of them (Holm). A perfcast dataset has networks of all kinds, of which nothing was
    claimed.

    Args:
        observations: the data set.
        rules: when a claim counts as decided.
        spreads: of the data set, with p-values that are not adjusted.
    """
    if observations.kind == "dataset":
        return ()
    tested = list(_tested(observations, rules, spreads))
    p_values = adjusted([each.p_value for each in tested])
    return tuple(_judged(each, float(p_value), rules.alpha) for each, p_value in zip(tested, p_values, strict=True))


def _judged(tested: _Tested, p_value: float, alpha: float) -> Claim:
    if np.isnan(p_value):
        return Claim(tested.statement, "open", tested.evidence)
    evidence = f"{tested.evidence}: {p_text(p_value)} after Holm's correction"
    return Claim(tested.statement, tested.verdict if p_value <= alpha else tested.otherwise, evidence)


def _tested(observations: Observations, rules: Rules, spreads: Sequence[Spread]) -> Iterator[_Tested]:
    layers = _in_role(observations, "layers")
    filters = _in_role(observations, "filter_size")
    for factor in layers:
        yield _logarithmic(blocks_of(observations, factor), rules)
        yield _spreading(spreads, factor, "of both networks")
    for factor in filters:
        yield _spreading(spreads, factor, f"of {TEXT}")
    for factor in _in_role(observations, "batch"):
        statement = f"{factor.label} has no influence on time (said of both networks)"
        yield _without_influence(statement, observations, factor, rules)
    for factor in filters:
        statement = f"{factor.label} makes no significant difference to time (said of {IMAGES})"
        yield _without_influence(statement, observations, factor, rules)
        yield _faster_at_largest(observations, factor)
    for factor in layers:
        yield from _dominant(observations, factor)
        for other in filters:
            yield _alike(observations, factor, other, rules)


def _in_role(observations: Observations, role: Role) -> list[Factor]:
    return [factor for factor in observations.factors if factor.role == role]


def _logarithmic(blocks: Blocks, rules: Rules) -> _Tested:
    name = blocks.factor.name
    statement = f"Time grows logarithmically with {name} (said of {IMAGES})"
    shapes = shapes_of(blocks)
    if shapes is None:
        return _untested(statement, f"it takes three levels of {name} in each of three combinations of the others")
    grows = mean_ratio(blocks.complete[:, -1] - blocks.complete[:, 0])
    otherwise: Verdict = "contradicted" if shapes.low > rules.margin or grows.high < 1 else "open"
    verdict: Verdict = otherwise
    if shapes.logarithmic >= shapes.rival_distance:
        verdict = "contradicted"
    elif verdict == "open" and shapes.logarithmic <= rules.margin and grows.low > 1:
        verdict = "confirmed"
    evidence = (
        f"{_levels(blocks)}: {number(grows.value)} times the time; a logarithm is off by "
        f"{percent(100 * shapes.logarithmic)} of the mean time, the {shapes.rival} shape by "
        f"{percent(100 * shapes.rival_distance)}; paired t test over {shapes.blocks} combinations"
    )
    return _Tested(statement, shapes.p_value, verdict, evidence, otherwise)


def _levels(blocks: Blocks) -> str:
    first, last = (format_number(float(level)) for level in (blocks.levels[0], blocks.levels[-1]))
    return f"from {blocks.factor.name} {first} to {last}"


def _untested(statement: str, why: str) -> _Tested:
    return _Tested(statement, np.nan, "open", f"not tested: {why}")


def _spreading(spreads: Sequence[Spread], factor: Factor, whose: str) -> _Tested:
    statement = f"The variance of time grows with {factor.name} (said {whose})"
    found = {each.scale: each for each in spreads if each.factor == factor}
    if "absolute" not in found:
        return _untested(statement, f"it takes three times at each of two levels of {factor.name}")
    spread = found["absolute"]
    evidence = (
        f"standard deviation at the highest level {number(spread.ratio)} times that at the lowest"
        f"{_relative(found.get('relative'))}; equal at all levels: {p_text(spread.differs_p)} (Brown-Forsythe); "
        "trend of distances from the median"
    )
    return _Tested(statement, spread.trend_p, "confirmed" if spread.grows else "contradicted", evidence)


def _relative(spread: Spread | None) -> str:
    """Say what remains where the scatter is taken relative to the time itself."""
    if spread is None:
        return ""
    return f", relative to the time {number(spread.ratio)} times ({p_text(spread.trend_p)})"


def _without_influence(statement: str, observations: Observations, factor: Factor, rules: Rules) -> _Tested:
    blocks = blocks_of(observations, factor)
    ratios = level_ratios(blocks)
    known = {level: ratio for level, ratio in ratios.items() if not np.isnan(ratio.p_value)}
    if not known:
        return _untested(statement, f"it takes three combinations of the others at two levels of {factor.name}")
    level, most = max(known.items(), key=lambda each: abs(np.log(each[1].value)))
    limits = (1 / (1 + rules.margin), 1 + rules.margin)
    within = all(limits[0] < ratio.low and ratio.high < limits[1] for ratio in known.values())
    otherwise: Verdict = "confirmed" if within else "open"
    verdict: Verdict = otherwise if within or limits[0] <= most.value <= limits[1] else "contradicted"
    evidence = (
        f"{factor.name} {format_number(level)} takes {_in_words(most)} as long as {factor.name} "
        f"{format_number(float(blocks.levels[0]))}{_by_layers(observations, blocks, level)}; within "
        f"{rules.margin:.0%} counts as none; paired t tests over {most.freedom + 1:.0f} combinations"
    )
    return _Tested(statement, most.p_value, verdict, evidence, otherwise)


def _in_words(ratio: Estimate) -> str:
    return f"{number(ratio.value)} times ({number(ratio.low)} to {number(ratio.high)})"


def _by_layers(observations: Observations, blocks: Blocks, level: float) -> str:
    """Say how a ratio to the lowest level differs between the fewest and the most layers, where these vary."""
    others = [other for other in observations.factors if other is not blocks.factor]
    places = [place for place, other in enumerate(others) if other.role == "layers"]
    if not places:
        return ""
    layers = np.array([name[places[0]] for name in blocks.names])
    column = int(np.flatnonzero(blocks.levels == level)[0])
    differences = blocks.logs[:, column] - blocks.logs[:, 0]
    ends = [(end, mean_ratio(differences[layers == end]).value) for end in (layers.min(), layers.max())]
    return ": " + ", ".join(f"{number(value)} times at {format_number(end)} layers" for end, value in ends)


def _faster_at_largest(observations: Observations, factor: Factor) -> _Tested:
    blocks = blocks_of(observations, factor)
    first, last = float(blocks.levels[0]), float(blocks.levels[-1])
    statement = f"Time is a little lower at the largest filters ({format_number(last)}) (said of {IMAGES})"
    ratio = mean_ratio(blocks.logs[:, -1] - blocks.logs[:, 0])
    if np.isnan(ratio.p_value):
        return _untested(statement, f"it takes three combinations of the others at both ends of {factor.name}")
    evidence = (
        f"{factor.name} {format_number(last)} takes {_in_words(ratio)} as long as {factor.name} {format_number(first)}"
        f"{_by_layers(observations, blocks, last)}; paired t test over {ratio.freedom + 1:.0f} combinations"
    )
    return _Tested(statement, ratio.p_value, "confirmed" if ratio.value < 1 else "contradicted", evidence)


def _dominant(observations: Observations, layers: Factor) -> Iterator[_Tested]:
    """Yield the test of the claim that time depends on layers first of all, where there is another factor."""
    others = [factor for factor in observations.factors if factor is not layers]
    if not others:
        return
    found = [(compare_correlations(observations, layers, other), other) for other in others]
    difference, other = min(found, key=lambda each: each[0].value)
    statement = f"Time is driven principally by {layers.name} (said of {IMAGES})"
    evidence = f"{_correlated(layers, other, difference)}; bootstrap over combinations"
    verdict: Verdict = "confirmed" if difference.value > 0 else "contradicted"
    yield _Tested(statement, difference.p_value, verdict, evidence)


def _correlated(first: Factor, second: Factor, difference: Difference) -> str:
    return (
        f"Pearson correlation with time {difference.first:.2f} for {first.name}, {difference.second:.2f} for "
        f"{second.name}; difference {difference.value:.2f} ({difference.low:.2f} to {difference.high:.2f})"
    )


def _alike(observations: Observations, layers: Factor, filters: Factor, rules: Rules) -> _Tested:
    difference = compare_correlations(observations, layers, filters)
    statement = f"Time correlates equally with {layers.name} and {filters.name} (said of {TEXT})"
    is_equal = -rules.margin < difference.low and difference.high < rules.margin
    otherwise: Verdict = "confirmed" if is_equal else "open"
    verdict: Verdict = "contradicted" if not is_equal and abs(difference.value) > rules.margin else otherwise
    found = _correlated(layers, filters, difference)
    evidence = f"{found}; within {rules.margin:g} counts as equal; bootstrap over combinations"
    return _Tested(statement, difference.p_value, verdict, evidence, otherwise)
