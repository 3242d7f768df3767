"""Export: model specs in; artifacts in the store, a manifest and a bundle per shard, the model database out."""


rule export_shard:
    input:
        specs=f"{MANIFESTS}/collect/{{shard}}.json",
    output:
        manifest=f"{MANIFESTS}/export/{{shard}}.json",
        bundle=f"{MANIFESTS}/export/{{shard}}.zip",
    log:
        f"{RESULTS}/logs/export/{{shard}}.log",
    # The cache knows a job by its script and parameters: not by wildcards, hence the digest of the models. The
    # store is no parameter, as it does not matter to what comes out.
    cache: CACHE
    conda:
        "../../envs/perfcast.yaml"
    # All else waits for the first shard. Each process holds a runtime of its own: more than four gain little.
    threads: lambda wildcards: min(4, CORES) if wildcards.shard == "0" else 1
    resources:
        mem_mb=lambda wildcards, threads: 2000 * threads,
    params:
        **PARAMETERS["export_shard"],
    script:
        "../scripts/export_shard.py"


rule list_models:
    input:
        manifests=expand(f"{MANIFESTS}/export/{{shard}}.json", shard=SHARDS),
        bundles=expand(f"{MANIFESTS}/export/{{shard}}.zip", shard=SHARDS),
    output:
        models=report(f"{RESULTS}/models.csv", caption="../report/models.rst"),
    log:
        f"{RESULTS}/logs/models.log",
    conda:
        "../../envs/perfcast.yaml"
    params:
        **PARAMETERS["list_models"],
    script:
        "../scripts/list_models.py"
