"""Comparing two datasets: what became slower, what faster, and what only seems to."""
