"""The version of perfcast."""

VERSION = "0.1.0"
