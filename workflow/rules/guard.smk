"""What keeps two runs apart, and lets jobs end with the Snakemake that started them; see perfcast/pipeline/guard.py."""

import os

from perfcast.pipeline import guard
from perfcast.pipeline.run import lock_names, runs_jobs
from perfcast.storage import write_text

# Of whichever Snakemake starts the jobs: on a cluster's node it is the one there.
os.environ.update(PERFCAST_LIFELINE=guard.lifeline(workflow.snakemake_tmp_dir))


def alone(wildcards):
    """Give a rule no input, but only once the folder is this run's alone.

    Snakemake asks for inputs before it locks the folder, and by then knows whether it only looks.
    """
    if runs_jobs(workflow):
        with errors_in_one_line():
            guard.keep(workflow.persistence.path, RESULTS)
    return []


onstart:
    if CAMPAIGN.models:
        with errors_in_one_line():
            write_text(f"{RESULTS}/logs/collect.log", CAMPAIGN.models.summary)
    guard.remember_locks(workflow.persistence.path, lock_names(workflow))
