"""The findings that were printed with published test results, each judged by the data.

They apply to tables with the columns of those results (47 tests of two networks on two devices over ten builds).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perfcast.pages import formatting as fmt
from perfcast.studies.factors.description import coded_columns
from perfcast.studies.factors.effects import model_of
from perfcast.studies.factors.roles import PERFORMANCE
from perfcast.studies.factors.wording import interval, times
from perfcast.studies.statistics.claims import Claim
from perfcast.studies.statistics.significance import p_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.studies.factors.analysis import Analysis
    from perfcast.studies.factors.effects import Effect
    from perfcast.studies.statistics.claims import Verdict

DEVICE, CLOCK, THREADS, NETWORK = "Device", "CPUFrequency (MHz)", "Threads", "MLNetwork"
BUILD, OPTIMISED, TIME, MEMORY = "Build", "Optimised", "Time (ms)", "PeakMemory (MB)"
COLUMNS = (DEVICE, CLOCK, THREADS, NETWORK, BUILD, OPTIMISED, TIME, MEMORY)
_PERFORMANCE = PERFORMANCE.column
_LOW = 0.3
"""A correlation below this is low."""

Answer = tuple["Verdict", str]


def published_claims(analysis: Analysis) -> tuple[Claim, ...]:
    """Return the published findings with their verdicts; none for a table with other columns or levels."""
    rows = analysis.results.rows
    if not set(COLUMNS) <= set(rows) or set(rows[NETWORK]) != {"AlexNet", "MobileNet"}:
        return ()
    return tuple(Claim(statement, *judge(analysis)) for statement, judge in _CLAIMS)


def _is(found: object, said: object) -> Answer:
    return ("confirmed" if found == said else "contradicted"), f"{found} here"


def _levels(name: str, said: str) -> Callable[[Analysis], Answer]:
    def judge(analysis: Analysis) -> Answer:
        found = analysis.results.rows[name]
        numeric = name in (THREADS, TIME, MEMORY)
        text = f"{found.min():g} to {found.max():g}" if numeric else f"{found.nunique()}"
        return _is(text, said)

    return judge


def _effect(analysis: Analysis, metric: str, factor: str, network: str = "") -> Effect | None:
    """Return the effect of a factor on a metric; within a network by a model of that network alone."""
    results = analysis.results
    cells = results.cells[metric]
    if network:
        inside = cells.where((cells.conditions[NETWORK] == network).to_numpy())
        model = model_of(inside, results.roles.without((NETWORK,)), (), ())
    else:
        model = next(each.model for each in analysis.metrics if each.metric.column == metric and each.model)
    return next((each for each in model.effects if each.factor == factor and not each.within), None)


def _raises(metric: str, factor: str, *, up: bool, network: str = "") -> Callable[[Analysis], Answer]:
    """Judge whether a metric is higher at the last level of a factor than at the first (or lower)."""

    def judge(analysis: Analysis) -> Answer:
        effect = _effect(analysis, metric, factor, network)
        if effect is None:
            return "open", "it cannot be separated from the other factors"
        word = _effect_text(effect)
        alias = analysis.alias_of(factor)
        if alias is not None:
            return "confounded", f"{word}, but {alias.words}"
        if not effect.is_significant:
            return "contradicted", f"{word}, no effect beyond chance"
        return ("confirmed" if (effect.ratio > 1) == up else "contradicted"), word

    return judge


def _effect_text(effect: Effect) -> str:
    known = f" ({interval(effect)}, {p_text(effect.p_value)})" if math.isfinite(effect.p_value) else ""
    pair = f"from {effect.low:g} to {effect.high:g}" if isinstance(effect.low, float) else f"at {effect.high}"
    return f"{times(effect.ratio)} {pair}{known}; unadjusted {times(effect.raw_ratio)}"


def _device_0_uses_more_time(analysis: Analysis) -> Answer:
    means = analysis.results.rows.groupby(DEVICE)[TIME].mean()
    effect = _effect(analysis, TIME, DEVICE)
    slower = "Device_1" if means["Device_1"] > means["Device_0"] else "Device_0"
    adjusted = f"; adjusted, Device_1 takes {times(effect.ratio)} ({interval(effect)})" if effect else ""
    text = f"mean time {means['Device_0']:.1f} ms on Device_0, {means['Device_1']:.1f} ms on Device_1{adjusted}"
    return ("confirmed" if slower == "Device_0" else "contradicted"), text


def _only_optimised(analysis: Analysis) -> Answer:
    rows = analysis.results.rows
    networks = sorted(set(rows.loc[rows[OPTIMISED] == "Y", NETWORK]))
    return ("confirmed" if networks == ["MobileNet"] else "contradicted"), f"optimised: {', '.join(networks)}"


def _only(network: str, name: str, said: object) -> Callable[[Analysis], Answer]:
    def judge(analysis: Analysis) -> Answer:
        rows = analysis.results.rows
        found = sorted(set(rows.loc[rows[NETWORK] == network, name]))
        shown = ", ".join(f"{level:g}" if isinstance(level, float) else str(level) for level in found)
        return ("confirmed" if found == [said] else "contradicted"), f"tested with: {shown}"

    return judge


def _correlation(one: str, other: str, *, low: bool) -> Callable[[Analysis], Answer]:
    def judge(analysis: Analysis) -> Answer:
        table, _ = coded_columns(analysis.results)
        value = float(table[one].corr(table[other]))
        verdict: Verdict = "confirmed" if (abs(value) < _LOW) == low else "contradicted"
        return verdict, f"Pearson's correlation {fmt.number(value, 2)}"

    return judge


def _build_and_optimised(analysis: Analysis) -> Answer:
    _, text = _correlation(BUILD, OPTIMISED, low=True)(analysis)
    alias = analysis.alias_of(OPTIMISED)
    return ("contradicted", f"{text} over all tests, but {alias.words}") if alias else ("confirmed", text)


def _best(network: str, said: dict[str, object]) -> Callable[[Analysis], Answer]:
    def judge(analysis: Analysis) -> Answer:
        rows = analysis.results.rows
        best = rows.loc[rows.loc[rows[NETWORK] == network, _PERFORMANCE].idxmax()]
        right = all(best[name] == level for name, level in said.items())
        place = f"{best[THREADS]:g} threads, {best[CLOCK]:g} MHz, Optimised {best[OPTIMISED]}, Build {best[BUILD]:g}"
        value = f"{best[_PERFORMANCE]:.1f} {PERFORMANCE.unit.symbol if PERFORMANCE.unit else ''}"
        return ("confirmed" if right else "contradicted"), f"the best is {place}: {value}"

    return judge


def _higher_builds(analysis: Analysis) -> Answer:
    """Judge builds by their changes: one that only one network shows, with an optimisation, is not the build's."""
    changes = [change for each in analysis.metrics for change in each.changes]
    effect = _effect(analysis, _PERFORMANCE, BUILD)
    text = _effect_text(effect) if effect else "no effect could be separated"
    if not changes:
        return "contradicted", f"{text}; no build changed anything beyond chance"
    shown = "; ".join(
        f"{change.network} {change.metric} {times(change.ratio)} from build {change.builds[0]:g} on"
        + (f" with {change.along}" if change.along else "")
        for change in changes
    )
    others = sorted(set(analysis.results.rows[NETWORK]) - {str(change.network) for change in changes})
    rest = f"; nothing for {', '.join(others)}" if others else ""
    return "confounded", f"{shown}{rest}; over all: {text}"


def _both_less(analysis: Analysis) -> Answer:
    effects = [_effect(analysis, metric, NETWORK) for metric in (TIME, MEMORY)]
    known = [effect for effect in effects if effect]
    texts = [
        f"{name} {_effect_text(effect)}" for name, effect in zip(("time", "memory"), effects, strict=True) if effect
    ]
    less = len(known) == 2 and all(effect.is_significant and effect.ratio < 1 for effect in known)
    steps = [change for each in analysis.metrics for change in each.changes if change.metric == MEMORY]
    only = "".join(f"; in memory only from build {change.builds[0]:g} on ({times(change.ratio)})" for change in steps)
    return ("confirmed" if less else "contradicted"), "; ".join(texts) + only


def _never_tested(analysis: Analysis) -> Answer:
    rows = analysis.results.rows
    count = int(((rows[NETWORK] == "AlexNet") & (rows[OPTIMISED] == "Y")).sum())
    return "open", f"{count} tests of AlexNet are optimised: nothing says what it would gain"


def _by_definition(analysis: Analysis) -> Answer:
    return "confirmed", "by its definition: 10⁶ / (memory × time)"


_CLAIMS: tuple[tuple[str, Callable[[Analysis], Answer]], ...] = (
    ("47 tests", lambda analysis: _is(analysis.results.total, 47)),
    ("2 networks", _levels(NETWORK, "2")),
    ("2 devices", _levels(DEVICE, "2")),
    ("2 clock frequencies", _levels(CLOCK, "2")),
    ("2 states of optimisation", _levels(OPTIMISED, "2")),
    ("1 to 5 threads", _levels(THREADS, "1 to 5")),
    ("Peak memory from 50 to 460 MB", _levels(MEMORY, "50 to 460")),
    ("Time from 19 to 800 ms", _levels(TIME, "19 to 800")),
    ("More threads use more memory", _raises(MEMORY, THREADS, up=True)),
    ("Device_0 uses more time", _device_0_uses_more_time),
    ("Only MobileNet is tried optimised", _only_optimised),
    ("MobileNet is performing better", _raises(_PERFORMANCE, NETWORK, up=True)),
    ("Optimising impacts performance a lot", _raises(_PERFORMANCE, OPTIMISED, up=True)),
    ("The correlation of clock and memory is low", _correlation(CLOCK, MEMORY, low=True)),
    ("The correlation of build and optimisation is low", _build_and_optimised),
    ("The correlation of build and device is low", _correlation(BUILD, DEVICE, low=True)),
    ("The correlation of build and time is low", _correlation(BUILD, TIME, low=True)),
    ("The correlation of build and performance is low", _correlation(BUILD, _PERFORMANCE, low=True)),
    ("Performance is higher with more threads", _raises(_PERFORMANCE, THREADS, up=True)),
    ("Performance is higher at a higher clock", _raises(_PERFORMANCE, CLOCK, up=True)),
    ("Performance is higher with higher builds", _higher_builds),
    ("Performance is higher where time and memory are lower", _by_definition),
    ("Performance is higher with MobileNet", _raises(_PERFORMANCE, NETWORK, up=True)),
    ("Performance is higher where the network is optimised", _raises(_PERFORMANCE, OPTIMISED, up=True)),
    ("AlexNet is not optimised", _only("AlexNet", OPTIMISED, "N")),
    ("AlexNet: more threads use more memory", _raises(MEMORY, THREADS, up=True, network="AlexNet")),
    ("AlexNet: more threads take less time", _raises(TIME, THREADS, up=False, network="AlexNet")),
    ("AlexNet: a higher clock takes less time", _raises(TIME, CLOCK, up=False, network="AlexNet")),
    ("AlexNet: 5 threads perform best", _best("AlexNet", {THREADS: 5.0})),
    ("MobileNet is tested only on Device_0", _only("MobileNet", DEVICE, "Device_0")),
    ("MobileNet is tested only at 1000 MHz", _only("MobileNet", CLOCK, 1000.0)),
    ("MobileNet: optimised is more efficient", _raises(_PERFORMANCE, OPTIMISED, up=True)),
    ("MobileNet: 5 threads and optimised are best", _best("MobileNet", {THREADS: 5.0, OPTIMISED: "Y"})),
    ("MobileNet is better than AlexNet in both time and memory", _both_less),
    ("AlexNet should be optimised", _never_tested),
    ("The highest build generally performs better", _higher_builds),
)
