"""What keeps two runs apart, and lets jobs end with the Snakemake that started them; see workflow/guard.py."""

import os
import sys

from perfcast.storage import write_text

sys.path.insert(0, f"{BASE}/workflow")
import guard

# Of whichever Snakemake starts the jobs: on a cluster's node it is the one there.
os.environ.update(PERFCAST_LIFELINE=guard.lifeline(workflow.snakemake_tmp_dir))


def is_run():
    """Say whether this process runs jobs for a user: no dry run, no question, no part of another run."""
    if workflow.execution_settings is None or not workflow.is_main_process:
        return False
    return not workflow.dryrun


def alone(wildcards):
    """Give a rule no input, but only once the folder is this run's alone.

    Snakemake asks for inputs before it locks the folder, and by then knows whether it only looks.
    """
    if is_run():
        with errors_in_one_line():
            guard.keep(workflow.persistence.path, RESULTS)
    return []


onstart:
    if not IS_IMPORTED:
        collected = f"{len(MODELS.specs)} models; {MODELS.discarded} random combinations discarded\n"
        with errors_in_one_line():
            write_text(f"{RESULTS}/logs/collect.log", collected)
    # The names are Snakemake's own secret; where it keeps them elsewhere one day, the guard makes do without.
    if names := getattr(workflow.persistence, "_lockfile", None):
        guard.remember_locks(
            workflow.persistence.path, [Path(name).name for name in names.values()]
        )
