"""Measuring: targets, the transports to them, campaigns, and the record of a measurement."""
