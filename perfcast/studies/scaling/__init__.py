"""The study `scaling`: how time grows with the numbers that a network, or its use, is described by."""
