"""The `perfcast` command."""

from perfcast.cli.main import main

__all__ = ["main"]
