"""Benchmark: a shard's artifacts in; its measurements in the store and their manifest out.

A measurement never overlaps another job on its device: the job takes the device, and all cores where it is this machine.
"""

CHECKED = [ancient(f"{TARGET_RESULTS}/checked")] if CAMPAIGN.is_probed else []

if CAMPAIGN.is_probed:

    # First of all, and only where something is to be measured: exporting continues meanwhile.
    rule check_target:
        output:
            checked=temp(touch(f"{TARGET_RESULTS}/checked")),
        log:
            f"{TARGET_RESULTS}/logs/check_target.log",
        priority: 100
        conda:
            "../../envs/perfcast.yaml"
        params:
            **PARAMETERS["check_target"],
        script:
            "../scripts/check_target.py"


if CAMPAIGN.has_first_pass:

    # Of the first shard, before any other is measured; the report of all models takes its place.
    rule first_pass:
        input:
            checked=CHECKED,
            exports=f"{MANIFESTS}/export/0.json",
            bundle=f"{MANIFESTS}/export/0.zip",
        output:
            # Its results are no outputs: the report of all models removes them, and a missing output runs again.
            shown=touch(f"{TARGET_RESULTS}/manifests/first_pass"),
        log:
            f"{TARGET_RESULTS}/logs/first_pass.log",
        priority: 50
        conda:
            "../../envs/perfcast.yaml"
        threads: CORES
        resources:
            device=1,
        params:
            **PARAMETERS["first_pass"],
        script:
            "../scripts/first_pass.py"


rule benchmark_shard:
    input:
        checked=CHECKED,
        first=(
            [ancient(f"{TARGET_RESULTS}/manifests/first_pass")]
            if CAMPAIGN.has_first_pass
            else []
        ),
        exports=f"{MANIFESTS}/export/{{shard}}.json",
        bundle=f"{MANIFESTS}/export/{{shard}}.zip",
    output:
        manifest=f"{TARGET_RESULTS}/manifests/{{shard}}.json",
    log:
        f"{TARGET_RESULTS}/logs/benchmark/{{shard}}.log",
    conda:
        "../../envs/perfcast.yaml"
    threads: 1 if CAMPAIGN.is_remote else CORES
    resources:
        device=1,
    params:
        **PARAMETERS["benchmark_shard"],
    script:
        "../scripts/benchmark_shard.py"
