"""What all rules share: the checked campaign, the rules' parameters, and where things are."""

import os

from perfcast.pipeline.campaign import read_campaign
from perfcast.pipeline.checks import check_enough_to_fit
from perfcast.pipeline.parameters import parameters_of
from perfcast.pipeline.run import cores_of, uses_conda
from perfcast.pipeline.studies import files_before

ORIGIN = (
    f"the config of module {__name__}"
    if IS_MODULE
    else " with ".join(str(path) for path in workflow.configfiles)
)
with errors_in_one_line():
    CAMPAIGN = read_campaign(config, ORIGIN, BASE, conda=uses_conda(workflow))
config = CAMPAIGN.config
PARAMETERS = parameters_of(CAMPAIGN, BASE)
RESULTS = CAMPAIGN.results
MANIFESTS = CAMPAIGN.manifests
TARGET_RESULTS = CAMPAIGN.target_results
SHARDS = CAMPAIGN.shards
IS_IMPORTED = CAMPAIGN.models is None
CORES = cores_of(workflow)
# Where caching is off, Snakemake warns of each rule that could be cached.
CACHE = "omit-software" if "SNAKEMAKE_OUTPUT_CACHE" in os.environ else False


wildcard_constraints:
    study="|".join(config["studies"]) or "no study",


def files_of_study(wildcards):
    """Return what a study waits for."""
    with errors_in_one_line():
        return files_before(CAMPAIGN, wildcards.study)


def dataset_to_fit(wildcards):
    """Return the target's dataset. Asked where something is to be fitted, which takes some models."""
    dataset = f"{TARGET_RESULTS}/dataset.parquet"
    if CAMPAIGN.models:
        with errors_in_one_line():
            check_enough_to_fit(CAMPAIGN.models, dataset)
    return dataset


def first_export(wildcards):
    """Let all shards but the first wait until that is exported."""
    return [] if wildcards.shard == "0" else ancient(f"{MANIFESTS}/export/0.json")
