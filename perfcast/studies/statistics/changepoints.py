"""Change points: at which of several ordered levels (layers, builds, kernel sizes) a curve changes its level or slope.

The curve is a constant (`level`) or a line (`slope`) that changes at one or several levels. Errors are taken as normal
with one variance, so pass logarithms where the spread grows with the value. Under a hypothesis about where the breaks
are, what the fitted curve leaves is then equally likely in each direction. Both tests draw such directions, which
makes them exact however few levels there are:

- whether there is a break: the largest gain of any place, as a share of what a curve without a break leaves
  (D. W. K. Andrews, "Tests for parameter instability and structural change with unknown change point", 1993);
- where it is: the interval holds each place at which the gain of the best place is no surprise (M. Knowles,
  D. Siegmund, H. Zhang, "Confidence regions in semilinear regression", 1991).

Further breaks are sought with those found in place, until one is not significant: without any, a false one is
found with probability alpha, over all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.optimize import bisect
from threadpoolctl import threadpool_limits

from perfcast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Kind = Literal["slope", "level"]
Replicates = Literal["shared", "independent", "paired"]

DRAWS = 9999
"""Directions drawn for a p-value, which is a multiple of 1/10,000 then."""
_DRAWS_OF_PLACE = 999
_STEPS = 10
"""Places between neighbouring levels at which a slope may change."""
_HALVINGS = 7
_MISSED = 0.05
_LIKELY = 0.8
_MIN_LEVELS = {"level": 2, "slope": 3}
"""Levels that a change needs, and what a curve without it must leave: the size of the change, its place where that may
be between levels, and noise."""
_TINY = 1e-9


@dataclass(frozen=True)
class Break:
    """A place at which a curve changes.

    Attributes:
        level: of kind `level`: the first level at which the new value holds; of kind `slope`: where the two lines meet,
            which may be between two levels.
        low, high: the 95% interval of ``level``. It covers more than 95% where a break is so clear that only one level
            is possible.
        p_value: how likely so clear a break is without one, with the other breaks in place.
        before, after: of kind `level`: the mean on either side, as far as the next break; of kind `slope`: the slope.
    """

    level: float
    low: float
    high: float
    p_value: float
    before: float
    after: float


@dataclass(frozen=True)
class _Curve:
    """What the tests need of the values: a scaled mean per level, with errors of one variance, and their scatter."""

    x: np.ndarray
    scaled: np.ndarray
    scale: np.ndarray
    within: float
    freedom: int


def find_breaks(
    levels: Sequence[float],
    values: Sequence[Sequence[float]],
    *,
    alpha: float = 0.05,
    kind: Kind = "slope",
    replicates: Replicates = "shared",
) -> tuple[Break, ...]:
    """Return the breaks of a curve, in the order of the levels; empty where none is significant.

    `undecided` tells whether there is enough to find any.

    Args:
        levels: in ascending order.
        values: those measured at each level, one at least. Pass logarithms for power laws, and for errors in %.
        alpha: probability of a false alarm, over all breaks.
        kind: whether the level or the slope changes. A slope changes between the second and the last but one level.
        replicates: what the values of one level have in common. `shared`: one run, or something else that differs from
            level to level by chance; only their means count. `independent`: each is a run of its own. `paired`: each
            is a run of its own, and the first of each level belong to one series (a network, a configuration) that may
            be higher or lower as a whole, as do the second, and so on.

    Raises:
        UsageError: the levels are not ascending, a level has no values, a value is not finite, or paired values are
            not as many at each level.
    """
    curve = _curve(levels, values, replicates)
    places = _places(curve.x, kind)
    with _one_thread():
        return _described(curve, places, _significant(curve, places, alpha, kind), kind)


def undecided(
    levels: Sequence[float],
    values: Sequence[Sequence[float]],
    *,
    kind: Kind = "slope",
    replicates: Replicates = "shared",
) -> str:
    """Return why no break can be found in data of this shape, whatever the values; empty where one can be.

    Raises:
        UsageError: as `find_breaks`.
    """
    curve = _curve(levels, values, replicates)
    count, fewest = len(curve.x), _MIN_LEVELS[kind]
    if count < fewest:
        return f"{count} {'level' if count == 1 else 'levels'}: a change of {kind} takes {fewest} at least"
    if count - (fewest - 1) + curve.freedom < fewest:
        what = "more levels" if replicates == "shared" else "more levels or replicates"
        return f"{count} levels: nothing is left to tell a change of {kind} from noise; measure {what}"
    return ""


def detectable(
    levels: Sequence[float],
    values: Sequence[Sequence[float]],
    *,
    alpha: float = 0.05,
    kind: Kind = "slope",
    replicates: Replicates = "shared",
) -> float:
    """Return the smallest change of level or slope that would be found with a probability of 80%.

    It is that of one break in the middle of the levels, with as much noise as the values have around their breaks; NaN
    where `undecided` says why none can be found. Where no break is found, a smaller one may be there.

    Raises:
        UsageError: as `find_breaks`.
    """
    if undecided(levels, values, kind=kind, replicates=replicates):
        return float("nan")
    curve = _curve(levels, values, replicates)
    with _one_thread():
        breaks = _significant(curve, _places(curve.x, kind), alpha, kind)
        rest = _space(curve, breaks, kind).T @ curve.scaled
        freedom = len(rest) + curve.freedom
        if not freedom:
            return float("nan")
        return _detectable_sigmas(curve, alpha, kind) * float(np.sqrt((rest @ rest + curve.within) / freedom))


def _detectable_sigmas(curve: _Curve, alpha: float, kind: Kind) -> float:
    """Return the smallest change that is likely found, as a multiple of the standard deviation of one error."""
    places = _places(curve.x, kind)
    left, directions = _left(curve, places, (), kind)
    critical = np.quantile(_best_share(*_errors(len(left), curve.freedom, DRAWS), directions), 1 - alpha)
    errors, hidden = _errors(len(left), curve.freedom, DRAWS, seed=1)
    change = _space(curve, (), kind).T @ _shapes(curve, places[[len(places) // 2]], kind)[:, 0]

    def missing(size: float) -> float:
        found = _best_share(errors + size * change, hidden, directions) >= critical
        return _LIKELY - float(found.mean())

    most = 1.0
    while missing(most) > 0:
        most *= 2
    return float(bisect(missing, 0.0, most, rtol=1e-3))


def _curve(levels: Sequence[float], values: Sequence[Sequence[float]], replicates: Replicates) -> _Curve:
    x, groups = np.asarray(levels, float), [np.asarray(group, float) for group in values]
    if len(x) != len(groups) or not np.isfinite(x).all() or (np.diff(x) <= 0).any():
        raise UsageError("change points: levels must be ascending numbers, with a list of values each")
    if any(group.ndim != 1 or not len(group) or not np.isfinite(group).all() for group in groups):
        raise UsageError("change points: each level needs one value at least, and values must be finite")
    counts = np.array([len(group) for group in groups])
    means = np.array([group.mean() for group in groups])
    if replicates == "shared":
        return _Curve(x, means, np.ones(len(x)), 0.0, 0)
    scale = np.sqrt(counts)
    if replicates == "independent":
        within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
        return _Curve(x, means * scale, scale, within, int((counts - 1).sum()))
    if (counts != counts[0]).any():
        raise UsageError("change points: paired values must be as many at each level")
    table = np.array(groups)
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    return _Curve(x, means * scale, scale, float((rest**2).sum()), (len(x) - 1) * (counts[0] - 1))


def _one_thread() -> threadpool_limits:
    # Threads cost small matrices more than they save, and on a busy machine many times as much.
    return threadpool_limits(limits=1)


def _significant(curve: _Curve, places: np.ndarray, alpha: float, kind: Kind) -> list[float]:
    """Return where the breaks are, one after the other until one is not significant."""
    found: list[float] = []
    while len(found) < len(places):
        place, p_value = _next_break(curve, places, found, kind)
        if p_value > alpha:
            break
        found = _refined(curve, places, [*found, place], kind)
    return found


def _places(x: np.ndarray, kind: Kind) -> np.ndarray:
    """Return where a break may be: a slope cannot be seen before the second and after the last but one level."""
    if kind == "level":
        return x[1:]
    inner = x[1:-1]
    between = [np.linspace(low, high, _STEPS, endpoint=False) for low, high in pairwise(inner)]
    return np.concatenate([*between, inner[-1:]])


def _shapes(curve: _Curve, places: Sequence[float] | np.ndarray, kind: Kind) -> np.ndarray:
    """Return what a break at each place adds to a curve, a column each."""
    beyond = curve.x[:, None] - np.asarray(places, float)[None, :]
    return curve.scale[:, None] * ((beyond >= 0).astype(float) if kind == "level" else np.maximum(beyond, 0))


def _model(curve: _Curve, breaks: Sequence[float], kind: Kind) -> np.ndarray:
    """Return the columns of a curve with breaks at known places."""
    columns = [np.ones(len(curve.x))] if kind == "level" else [np.ones(len(curve.x)), curve.x - curve.x.mean()]
    return np.column_stack([*(curve.scale * column for column in columns), _shapes(curve, breaks, kind)])


def _space(curve: _Curve, breaks: Sequence[float], kind: Kind) -> np.ndarray:
    """Return orthonormal columns of what curves with ``breaks`` leave of the means."""
    basis, sizes, _ = np.linalg.svd(_model(curve, breaks, kind), full_matrices=True)
    return basis[:, int((sizes > _TINY * sizes.max()).sum()) :]


def _left(curve: _Curve, places: np.ndarray, breaks: Sequence[float], kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    """Return what curves with ``breaks`` leave of the means, and the direction in it that each place explains.

    Both are coordinates in the space that these curves leave. A place that adds nothing has no direction.
    """
    rest = _space(curve, breaks, kind)
    shapes = _shapes(curve, places, kind)
    directions = rest.T @ shapes
    lengths, whole = np.linalg.norm(directions, axis=0), np.linalg.norm(shapes, axis=0)
    useful = lengths > _TINY * np.maximum(whole, _TINY)
    return rest.T @ curve.scaled, np.where(useful, directions / np.where(useful, lengths, 1), 0)


def _next_break(curve: _Curve, places: np.ndarray, breaks: Sequence[float], kind: Kind) -> tuple[float, float]:
    """Return the best place for one more break, and its p-value."""
    left, directions = _left(curve, places, breaks, kind)
    gains = (directions.T @ left) ** 2
    total = float(left @ left) + curve.within
    place = float(places[int(np.argmax(gains))])
    if total <= _TINY**2 * float(curve.scaled @ curve.scaled) or len(left) + curve.freedom < _MIN_LEVELS[kind]:
        return place, 1.0
    best = _best_share(*_errors(len(left), curve.freedom, DRAWS), directions)
    return place, _share(best, float(gains.max()) / total)


def _errors(dimension: int, hidden: int, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return normal errors of variance 1: the first coordinates, and the sum of squares of those ``hidden``."""
    chance = np.random.default_rng(seed)
    return chance.standard_normal((count, dimension)), chance.chisquare(hidden, count) if hidden else np.zeros(count)


def _directions(dimension: int, hidden: int, count: int) -> np.ndarray:
    """Return the first coordinates of random directions."""
    drawn, rest = _errors(dimension, hidden, count)
    lengths = np.sqrt((drawn**2).sum(axis=1) + rest)
    return drawn / np.where(lengths > 0, lengths, 1)[:, None]


def _best_share(errors: np.ndarray, hidden: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return the largest gain of any direction as a share of all that is left, for each row of ``errors``."""
    return ((errors @ directions) ** 2).max(axis=1) / ((errors**2).sum(axis=1) + hidden)


def _share(drawn: np.ndarray, seen: float) -> float:
    """Return the p-value of a statistic that was ``seen``, which is one draw among those ``drawn``."""
    return float((1 + (drawn >= seen * (1 - _TINY)).sum()) / (1 + len(drawn)))


def _refined(curve: _Curve, places: np.ndarray, breaks: list[float], kind: Kind) -> list[float]:
    """Return the breaks, each moved to its best place among the others until none moves."""
    moved = sorted(breaks)
    for _ in range(len(places)):
        before = list(moved)
        for index in range(len(moved)):
            others = moved[:index] + moved[index + 1 :]
            left, directions = _left(curve, places, others, kind)
            moved[index] = float(places[int(np.argmax((directions.T @ left) ** 2))])
        moved.sort()
        if moved == before:
            break
    return moved


def _interval(curve: _Curve, places: np.ndarray, others: Sequence[float], kind: Kind) -> tuple[float, float]:
    """Return the first and last place that a break may be at, with those at ``others`` in place."""
    left, directions = _left(curve, places, others, kind)
    best = float(((directions.T @ left) ** 2).max())
    drawn = _directions(len(left) - 1, curve.freedom, _DRAWS_OF_PLACE)

    def possible(place: float) -> bool:
        own = _left(curve, np.array([place]), others, kind)[1][:, 0]
        return bool(own.any()) and _is_possible(curve, left, own, directions, drawn, best)

    estimate = places[int(np.argmax((directions.T @ left) ** 2))]
    tried = np.union1d(curve.x[(curve.x >= places[0]) & (curve.x <= places[-1])], [estimate])
    inside = np.flatnonzero([place == estimate or possible(place) for place in tried])
    low, high = tried[inside[0]], tried[inside[-1]]
    if kind == "slope":
        low = _edge(possible, low, tried[max(0, inside[0] - 1)])
        high = _edge(possible, high, tried[min(len(tried) - 1, inside[-1] + 1)])
    return float(low), float(high)


def _edge(possible: Callable[[float], bool], inside: float, outside: float) -> float:
    """Return the last possible place between one that is possible and one that is not."""
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if possible(middle) else (inside, middle)
    return inside


def _is_possible(
    curve: _Curve, left: np.ndarray, own: np.ndarray, directions: np.ndarray, drawn: np.ndarray, best: float
) -> bool:
    """Tell whether the ``best`` gain of any place is no surprise where the break is in the ``own`` direction."""
    explained = own * float(own @ left)
    rest = left - explained
    radius = np.sqrt(float(rest @ rest) + curve.within)
    # Orthonormal coordinates of what is left beside the own direction.
    across = np.linalg.svd(own[:, None], full_matrices=True)[0][:, 1:]
    simulated = explained @ directions + radius * (drawn @ (across.T @ directions))
    return _share((simulated**2).max(axis=1), best) > _MISSED


def _described(curve: _Curve, places: np.ndarray, breaks: list[float], kind: Kind) -> tuple[Break, ...]:
    """Return the breaks with their intervals and what the curve does on either side."""
    if not breaks:
        return ()
    fitted = np.linalg.lstsq(_model(curve, breaks, kind), curve.scaled, rcond=None)[0]
    start = 0 if kind == "level" else 1
    sides = np.cumsum(fitted[start:])
    found = []
    for index, place in enumerate(breaks):
        others = breaks[:index] + breaks[index + 1 :]
        low, high = _interval(curve, places, others, kind)
        _, p_value = _next_break(curve, places, others, kind)
        before, after = float(sides[index]), float(sides[index + 1])
        found.append(Break(place, low, high, p_value, before, after))
    return tuple(found)
