"""Studies that a configuration asks for: what each reads, and what it waits for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError
from perfcast.studies.study import INPUT_KEYS

if TYPE_CHECKING:
    from perfcast.pipeline.campaign import Campaign


def inputs_of(campaign: Campaign, study: str) -> list[str]:
    """Return what a study reads, in its order: folders of results, or the files that the configuration names."""
    given = campaign.config["studies"][study]
    if "files" in given:
        return list(given["files"])
    return [f"{campaign.results}/{target}" for target in given["targets"]]


def options_of(campaign: Campaign, study: str) -> dict[str, Any]:
    """Return what a configuration says of a study's options."""
    given = campaign.config["studies"][study]
    return {name: value for name, value in given.items() if name not in INPUT_KEYS}


def files_before(campaign: Campaign, study: str) -> list[str]:
    """Return the files that a study waits for, or runs again after: those of targets, or the named ones.

    Raises:
        UsageError: another target than this run's has no dataset yet, or a named file is missing.
    """
    given, inputs = campaign.config["studies"][study], inputs_of(campaign, study)
    if "files" in given:
        for path in inputs:
            _check_file(path, study)
        return inputs
    return [file for folder in inputs for file in _files_of_target(campaign, folder, study)]


def _check_file(path: str, study: str) -> None:
    try:
        found = Path(path).exists()
    except OSError as error:
        raise UsageError(f"studies.{study}.files: {path} cannot be read ({error.strerror or error})") from error
    if not found:
        raise UsageError(f"studies.{study}.files: {path} is missing; paths are relative to {Path().resolve()}")


def _files_of_target(campaign: Campaign, folder: str, study: str) -> list[str]:
    dataset = f"{folder}/dataset.parquet"
    if folder == campaign.target_results:
        return [dataset, f"{folder}/manifests/fit.json"]
    if not Path(dataset).is_file():
        raise UsageError(
            f"studies.{study}.targets: {dataset} is missing; run the workflow with "
            f"`--config target={Path(folder).name}` first"
        )
    return [dataset]
