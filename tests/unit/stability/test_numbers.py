"""Latencies that cannot be, samples that are not normal, pairs that differ."""

import numpy as np
import pytest

from perfcast.stability import impossible, repeatability
from perfcast.stability.normality import normality_p

PEAKS = {"flops_per_s": 200e9, "bytes_per_s": 100e9, "seconds": 1.0}
VGG16 = {"macs": 15.5e9, "weight_bytes": 553e6}


def test_vgg16_in_1_9_ms_at_200_gflops_is_impossible():
    said = impossible(1.9, **VGG16, peaks=PEAKS)
    assert said == ("1.9 ms for 15.5 billion multiply-accumulates is 16,316 GFLOP/s; the device reached 200 at best")


def test_weights_are_not_read_faster_than_the_cache():
    said = impossible(2.0, macs=1e6, weight_bytes=553e6, peaks=PEAKS)
    assert said == "2 ms for reading 553 MB of weights is 276 GB/s; the device reached 100 at best"


@pytest.mark.parametrize("latency_ms", [155.0, 155 / 2.25, 155 / 4])
def test_winograd_may_need_fewer_multiplications(latency_ms):
    assert impossible(latency_ms, **VGG16, peaks=PEAKS) is None


def test_without_peaks_every_latency_is_possible():
    assert impossible(1e-6, **VGG16, peaks=None) is None


def test_repeatability_is_the_difference_over_the_mean():
    a, b = np.array([10.0, 20.0, 30.0, 10.0]), np.array([11.0, 20.0, 30.0, np.nan])
    median, p95 = repeatability(a, b)
    assert median == 0
    assert p95 == pytest.approx(0.9 * 100 / 10.5)
    with pytest.raises(ValueError, match="at least one pair"):
        repeatability(np.array([np.nan]), np.array([1.0]))


def test_normality_separates_normal_from_skewed_samples():
    generator = np.random.default_rng(0)
    normal = [normality_p(generator.normal(10, 1, size=200)) for _ in range(200)]
    assert np.mean(np.array(normal) < 0.05) == pytest.approx(0.05, abs=0.04)
    assert normality_p(generator.exponential(size=200)) < 1e-6
    assert normality_p(generator.normal(size=20_000)) > 1e-3
    assert np.isnan(normality_p(np.ones(100)))
    assert np.isnan(normality_p(generator.normal(size=19)))
