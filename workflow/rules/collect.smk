"""Collect: sheets and a request for random networks in; a manifest of a shard's model specs out."""


rule collect_models:
    input:
        # The sheets are none: a parameter holds what of them matters to a shard, however they are called.
        none=alone,
        # Of the others, so that the first shard is measured while they are exported.
        first=first_export,
    output:
        specs=f"{MANIFESTS}/collect/{{shard}}.json",
    log:
        f"{RESULTS}/logs/collect/{{shard}}.log",
    conda:
        "../../envs/perfcast.yaml"
    params:
        **PARAMETERS["collect_models"],
    script:
        "../scripts/collect_models.py"
