"""Benchmark: a shard's artifacts in; its measurements in the store and their manifest out.

A measurement never overlaps another job on its device: the job takes all cores and the device.
"""


rule benchmark_shard:
    input:
        exports=f"{MANIFESTS}/export/{{shard}}.json",
        bundle=f"{MANIFESTS}/export/{{shard}}.zip",
    output:
        manifest=f"{TARGET_RESULTS}/manifests/{{shard}}.json",
    log:
        f"{TARGET_RESULTS}/logs/benchmark/{{shard}}.log",
    conda:
        "../../envs/perfcast.yaml"
    threads: CORES
    resources:
        device=1,
    params:
        store=STORE,
        target=measured(),
        name=config["target"],
        shards=len(SHARDS),
        code=code("bench", "catalog", "export", "../board/perfcast_runner"),
    script:
        "../scripts/benchmark_shard.py"
