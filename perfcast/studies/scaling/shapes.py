"""Which of three shapes with two parameters time follows over one factor: logarithmic, linear or a power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from perfcast.studies.scaling.blocks import MIN_BLOCKS
from perfcast.studies.statistics.regression import mean_of

if TYPE_CHECKING:
    from perfcast.studies.scaling.blocks import Blocks

Shape = Literal["logarithmic", "linear", "power"]
_MIN_LEVELS = 3


@dataclass(frozen=True)
class Shapes:
    """How far time is off the logarithmic shape, and off the better of the two others.

    Attributes:
        logarithmic: typical distance, as a share of a block's mean time.
        low: the lower end of its 95% interval.
        rival: the nearer of the other shapes.
        rival_distance: of it, likewise.
        p_value: of no difference between the two, over blocks; times two, as there are two rivals.
        blocks: how many blocks it rests on.
    """

    logarithmic: float
    low: float
    rival: Shape
    rival_distance: float
    p_value: float
    blocks: int


def shapes_of(blocks: Blocks) -> Shapes | None:
    """Return which shape is nearest; None for too few levels or blocks.

    All three shapes have two parameters, so none fits better for being more flexible.
    """
    complete = blocks.complete
    if len(blocks.levels) < _MIN_LEVELS or len(complete) < MIN_BLOCKS or not (blocks.levels > 0).all():
        return None
    times = np.exp(complete - complete.max(axis=1, keepdims=True))
    scaled = times / times.mean(axis=1, keepdims=True)
    logs = np.log(blocks.levels)
    own = _distances(scaled, _line(scaled, logs))
    distances: dict[Shape, np.ndarray] = {
        "linear": _distances(scaled, _line(scaled, blocks.levels)),
        "power": _distances(scaled, np.exp(_line(np.log(scaled), logs))),
    }
    rival = min(distances, key=lambda name: float(distances[name].mean()))
    p_value = min(1.0, 2 * mean_of(own - distances[rival]).p_value)
    mean = mean_of(own)
    return Shapes(mean.value, mean.low, rival, float(distances[rival].mean()), p_value, len(own))


def _line(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the straight line through each row."""
    design = np.column_stack([np.ones(len(places)), places])
    return values @ design @ np.linalg.inv(design.T @ design) @ design.T


def _distances(values: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    return np.sqrt(((values - fitted) ** 2).mean(axis=1))
