"""Features: exports in; one row of numbers per model, from descriptors alone, out."""


rule extract_features:
    input:
        manifests=expand(f"{MANIFESTS}/export/{{shard}}.json", shard=SHARDS),
        bundles=expand(f"{MANIFESTS}/export/{{shard}}.zip", shard=SHARDS),
    output:
        features=f"{RESULTS}/features.parquet",
    log:
        f"{RESULTS}/logs/features.log",
    cache: CACHE
    conda:
        "../../envs/perfcast.yaml"
    params:
        **PARAMETERS["extract_features"],
    script:
        "../scripts/extract_features.py"
