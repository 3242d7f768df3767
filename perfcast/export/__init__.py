"""Exporting: a model spec becomes an artifact, the same for every target."""
