"""Sweeps over families of networks: each combination is trained, evaluated, and its evaluation measured."""
