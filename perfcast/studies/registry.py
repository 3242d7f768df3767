"""The studies that there are. A new one is a folder with a `study.py`, and one entry here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError
from perfcast.schema import check_values
from perfcast.studies.study import INPUT_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.studies.study import Study

STUDIES = (
    "perfcast.studies.comparison",
    "perfcast.studies.factors",
    "perfcast.studies.prediction",
    "perfcast.studies.scaling",
    "perfcast.studies.training",
)
"""Packages, each with a module `study` that holds its declaration as STUDY; the last part is the study's name."""


def study_packages() -> dict[str, str]:
    """Return the package of each study by its name."""
    return {package.rpartition(".")[2]: package for package in STUDIES}


def find_study(name: str) -> Study:
    """Return a study by its name; no other one is imported.

    Raises:
        UsageError: there is none.
    """
    packages = study_packages()
    if name not in packages:
        raise UsageError(f"{name}: unknown study; known are {', '.join(packages)}")
    study: Study = import_module(f"{packages[name]}.study").STUDY
    return study


def check_studies(studies: Mapping[str, Any], origin: str) -> None:
    """Check what a configuration says of studies: their names, inputs and options.

    Raises:
        UsageError: the first key that is wrong, and why.
    """
    for name, values in studies.items():
        try:
            study = find_study(name)
        except UsageError as error:
            raise UsageError(f"{origin}: studies.{error}") from error
        check_values(values, study.schema(), origin, f"studies.{name}")
        if len(values.keys() & set(INPUT_KEYS)) != 1:
            asked = f"name either targets or files: {', '.join(study.inputs)}"
            raise UsageError(f"{origin}: studies.{name}: {asked}")
