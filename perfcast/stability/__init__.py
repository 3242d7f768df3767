"""Stability: what the samples of a measurement are worth. Pure functions of numbers, without files or devices."""

from perfcast.stability.judgement import Judgement, judge
from perfcast.stability.location import learn_machine
from perfcast.stability.machine import Machine
from perfcast.stability.patterns import PATTERNS, classify
from perfcast.stability.possible import impossible
from perfcast.stability.repeating import repeatability
from perfcast.stability.series import Series

__all__ = [
    "PATTERNS",
    "Judgement",
    "Machine",
    "Series",
    "classify",
    "impossible",
    "judge",
    "learn_machine",
    "repeatability",
]
