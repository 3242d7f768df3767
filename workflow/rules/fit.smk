"""Fit: a target's dataset in; the evaluation of all algorithms and the deployed predictor out."""


rule fit_predictor:
    input:
        dataset=dataset_to_fit,
    output:
        # The folders are no outputs, as Snakemake deletes those of a fit that fails: it leaves an earlier one's.
        fitted=f"{TARGET_RESULTS}/manifests/fit.json",
    log:
        f"{TARGET_RESULTS}/logs/fit.log",
    conda:
        "../../envs/perfcast.yaml"
    threads: CORES
    params:
        **PARAMETERS["fit_predictor"],
    script:
        "../scripts/fit_predictor.py"
