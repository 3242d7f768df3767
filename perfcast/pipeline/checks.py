"""Checks before any job runs: each mistake in configuration, target, tables or sheets is one line."""

from __future__ import annotations

import contextlib
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from perfcast.errors import PerfcastError, UsageError
from perfcast.fit.options import MIN_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from perfcast.models.collect import Collection


@contextlib.contextmanager
def errors_in_one_line() -> Iterator[None]:
    """End the process with one line and the error's exit code: Snakemake's own errors add lines of its files."""
    try:
        yield
    except PerfcastError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def check_store(store: str | Path, disposable: Sequence[str], origin: str) -> None:
    """Refuse a store in a folder that the documentation says to delete.

    Raises:
        UsageError: it lies in one of ``disposable``.
    """
    for folder in disposable:
        if Path(store).resolve().is_relative_to(Path(folder).resolve()):
            raise UsageError(
                f"{origin}: store: {store} is inside {folder}, which runs may delete and rebuild; "
                "choose a folder outside"
            )


def check_enough_to_fit(models: Collection, dataset: str) -> None:
    """Refuse to train on too few models. To measure them, one is enough.

    Args:
        models: that are measured.
        dataset: the file that needs no training, for the message.

    Raises:
        UsageError: there are too few models or families.
    """
    families = {spec.family for spec in models.specs}
    if len(models.specs) < MIN_ROWS or len(families) < 2:
        raise UsageError(
            f"models: {len(models.specs)} models of {len(families)} families are too few to train on; "
            f"list at least {MIN_ROWS} of 2 families in models.sheets, or run `snakemake … -- {dataset}`"
        )


def tool_versions(names: Sequence[str], pins: str | None) -> dict[str, str]:
    """Return the versions of packages that jobs use: what other versions made is made again.

    Args:
        names: of the packages.
        pins: the text of the environment that conda makes for jobs; None where they run in this one.

    Raises:
        UsageError: a package is not installed.
    """
    if pins is not None:
        return {name: _pinned(name, pins) for name in names}
    try:
        return {name: version(name) for name in names}
    except PackageNotFoundError as error:
        raise UsageError(
            f"{error.name} is not installed; run `make setup`, or let conda install what jobs need: "
            "add --software-deployment-method conda"
        ) from error


def _pinned(name: str, pins: str) -> str:
    if found := re.search(rf"'{re.escape(name)}==(\S+)'", pins):
        return found[1]
    raise UsageError(f"envs/perfcast.yaml: does not pin {name}; run `make lock`")
