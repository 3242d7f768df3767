"""Fit: a target's dataset in; the evaluation of all algorithms and the deployed predictor out."""


rule fit_predictor:
    input:
        dataset=f"{TARGET_RESULTS}/dataset.parquet",
    output:
        # Updated: a fit that fails leaves what an earlier one made.
        evaluation=update(directory(f"{TARGET_RESULTS}/evaluation")),
        predictor=update(directory(f"{TARGET_RESULTS}/predictor")),
    log:
        f"{TARGET_RESULTS}/logs/fit.log",
    conda:
        "../../envs/perfcast.yaml"
    threads: CORES
    params:
        fit=config["fit"],
        metrics=TARGET["metrics"],
        target=config["target"],
        store=STORE,
        code=code("fit", "features", "dataset"),
    script:
        "../scripts/fit_predictor.py"
