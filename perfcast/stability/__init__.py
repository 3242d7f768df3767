"""Stability: what the samples of a measurement are worth. Pure functions of numbers, without files or devices."""

from perfcast.stability.estimators import ESTIMATORS
from perfcast.stability.judgement import Judgement, judge
from perfcast.stability.patterns import PATTERNS, classify
from perfcast.stability.possible import impossible
from perfcast.stability.repeating import repeatability
from perfcast.stability.series import Series

__all__ = ["ESTIMATORS", "PATTERNS", "Judgement", "Series", "classify", "impossible", "judge", "repeatability"]
