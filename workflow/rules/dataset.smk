"""Dataset: a target's measurements and the models' features in; one table out."""


rule build_dataset:
    input:
        models=f"{RESULTS}/models.csv",
        features=f"{RESULTS}/features.parquet",
        manifests=expand(f"{TARGET_RESULTS}/manifests/{{shard}}.json", shard=SHARDS),
    output:
        dataset=f"{TARGET_RESULTS}/dataset.parquet",
    log:
        f"{TARGET_RESULTS}/logs/dataset.log",
    conda:
        "../../envs/perfcast.yaml"
    params:
        **PARAMETERS["build_dataset"],
    script:
        "../scripts/build_dataset.py"
