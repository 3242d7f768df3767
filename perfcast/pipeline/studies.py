"""Studies that a configuration asks for: what each reads, and what it waits for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError

if TYPE_CHECKING:
    from perfcast.pipeline.campaign import Campaign


def folders_of(campaign: Campaign, study: str) -> list[str]:
    """Return the folders of results that a study reads, in its order."""
    return [f"{campaign.results}/{target}" for target in campaign.config["studies"][study]["targets"]]


def options_of(campaign: Campaign, study: str) -> dict[str, Any]:
    """Return what a configuration says of a study's options."""
    given = campaign.config["studies"][study]
    return {name: value for name, value in given.items() if name != "targets"}


def files_before(campaign: Campaign, study: str) -> list[str]:
    """Return the files that a study waits for.

    Raises:
        UsageError: another target than this run's has no dataset yet.
    """
    files = []
    for folder in folders_of(campaign, study):
        dataset = f"{folder}/dataset.parquet"
        files.append(dataset)
        if folder == campaign.target_results:
            files.append(f"{folder}/manifests/fit.json")
        elif not Path(dataset).is_file():
            raise UsageError(
                f"studies.{study}.targets: {dataset} is missing; run the workflow with "
                f"`--config target={Path(folder).name}` first"
            )
    return files
