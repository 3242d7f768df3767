"""Export: model specs in; artifacts in the store, a manifest a shard and the model database out."""


rule export_shard:
    input:
        specs=f"{MANIFESTS}/collect/{{shard}}.json",
    output:
        manifest=f"{MANIFESTS}/export/{{shard}}.json",
    log:
        f"{RESULTS}/logs/export/{{shard}}.log",
    resources:
        mem_mb=2000,
    params:
        store=STORE,
        shards=len(SHARDS),
        tools=versions("tensorflow", "keras"),
        code=code("catalog", "export"),
    script:
        "../scripts/export_shard.py"


rule list_models:
    input:
        manifests=expand(f"{MANIFESTS}/export/{{shard}}.json", shard=SHARDS),
    output:
        models=f"{RESULTS}/models.csv",
    log:
        f"{RESULTS}/logs/models.log",
    params:
        store=STORE,
        code=code("export"),
    script:
        "../scripts/list_models.py"
