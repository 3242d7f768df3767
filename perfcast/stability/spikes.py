"""Spikes: samples that stand out of the noise of a series on one side. All in units of the noise's width."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammainc
from scipy.stats import binomtest

TAIL = 1.5
TAIL_END = 5.0
"""From 1.5 to 5 standard deviations noise shows how fast its tail decays; beyond may be spikes."""
USUAL_DECAY = 0.6
USUAL_SAMPLES = 5
"""What a tail is taken to decay with, somewhat slower than a normal distribution's, counts like five of its samples."""
SLOWEST_DECAY = 1.8
"""No noise decays slower: that is spikes in the tail."""
UNLIKELY = 0.002
"""Samples are spikes where the tail makes so many, so far out, with a smaller probability."""
MANY_P = 0.01
"""Noise is alike on both sides: with so small a probability as many stand on one of them."""
LIGHT_DECAY, HEAVY_DECAY = 0.5, 0.85
FURTHER = (1.5, 4.0)
"""The largest must be so many times further out than the furthest on the other side: 1.5 times with tails like a
normal distribution's, 4 times with heavy ones, which throw single samples far."""


def spikes(sigmas: np.ndarray, least: float, tail: np.ndarray) -> np.ndarray:
    """Return which samples stand further above 0 than noise goes, and than ``least``, as a mask.

    The noise's tail is taken as exponential beyond 1.5 standard deviations, which bounds normal, Laplace and gamma
    noise.

    Args:
        sigmas: samples around their level.
        least: what a spike has at the least.
        tail: samples that show the noise's tail on their positive side.
    """
    decay, count = _decay(tail), int(((tail > TAIL) & (tail < TAIL_END)).sum())
    ordered = np.sort(sigmas[sigmas > least])[::-1]
    if not len(ordered):
        return np.zeros(len(sigmas), bool)
    expected = max(1, count) * np.exp(-(ordered - TAIL) / decay)
    chance = gammainc(np.arange(1, len(ordered) + 1), expected)
    unlikely = np.flatnonzero(chance < UNLIKELY)
    return sigmas >= ordered[unlikely[-1]] if len(unlikely) else np.zeros(len(sigmas), bool)


def stand_out(sigmas: np.ndarray, found: np.ndarray, tail: np.ndarray) -> bool:
    """Say whether noise that is alike on both sides would not make the spikes ``found``: too many, or too far."""
    if not found.any():
        return False
    count = int(found.sum())
    others = int((-sigmas >= sigmas[found].min()).sum())
    if binomtest(count, count + others, alternative="greater").pvalue < MANY_P:
        return True
    further = float(np.interp(_decay(tail), (LIGHT_DECAY, HEAVY_DECAY), FURTHER))
    return float(sigmas.max()) >= further * max(float(-sigmas.min()), TAIL)


def _decay(tail: np.ndarray) -> float:
    """Return the mean excess of an exponential tail over its start: the likeliest one for what lies before its end."""
    inner = tail[(tail > TAIL) & (tail < TAIL_END)] - TAIL
    if not len(inner):
        return USUAL_DECAY
    span = TAIL_END - TAIL
    share = float(inner.mean()) / span
    # The mean of an exponential distribution cut at `span` is between 0 and half of it.
    slowest, fastest = span / SLOWEST_DECAY, 100.0
    if share >= _cut_mean(slowest):
        likeliest = SLOWEST_DECAY
    elif share <= _cut_mean(fastest):
        likeliest = span / fastest
    else:
        likeliest = span / float(brentq(lambda rate: _cut_mean(rate) - share, slowest, fastest))
    return (len(inner) * likeliest + USUAL_SAMPLES * USUAL_DECAY) / (len(inner) + USUAL_SAMPLES)


def _cut_mean(rate: float) -> float:
    """Return the mean, as a share of the span, of an exponential distribution that falls by exp(−rate) over it."""
    return float(1 / rate - 1 / np.expm1(rate))
