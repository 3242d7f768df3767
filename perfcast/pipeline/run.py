"""What Snakemake's own objects say of this run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


def uses_conda(workflow: Workflow) -> bool:
    """Return whether conda makes the environment of jobs."""
    return DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method


def cores_of(workflow: Workflow) -> int:
    """Return the number of cores; 1 where Snakemake was given none, as for a report or a summary."""
    try:
        return int(workflow.cores)
    except WorkflowError:
        return 1


def runs_jobs(workflow: Workflow) -> bool:
    """Return whether this process runs jobs for a user: no dry run, no question, no part of another run."""
    if workflow.execution_settings is None or not workflow.is_main_process:
        return False
    return not workflow.dryrun


def lock_names(workflow: Workflow) -> list[str]:
    """Return the names of the locks that Snakemake has for this run.

    They are its own secret; where it keeps them elsewhere one day, the guard makes do without.
    """
    names = getattr(workflow.persistence, "_lockfile", None) or {}
    return [Path(name).name for name in names.values()]
