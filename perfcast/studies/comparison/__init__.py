"""Comparing two datasets: what became slower, what faster, and what only seems to."""

from perfcast.studies.comparison.comparison import Comparison, Options, Together, compare
from perfcast.studies.comparison.pairs import Pairs, pair, read_dataset

__all__ = ["Comparison", "Options", "Pairs", "Together", "compare", "pair", "read_dataset"]
