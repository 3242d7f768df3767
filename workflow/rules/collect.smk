"""Collect: sheets and a request for random networks in; the model specs, a manifest a shard, out."""


rule collect_models:
    input:
        sheets=SHEETS,
    output:
        shards=expand(f"{MANIFESTS}/collect/{{shard}}.json", shard=SHARDS),
    log:
        f"{RESULTS}/logs/collect.log",
    params:
        synthetic=config["models"]["synthetic"],
        code=code("catalog", "bench/campaign", "fit/table"),
    script:
        "../scripts/collect_models.py"
