"""See that the target's devices can be measured on, before anything else is done."""

from perfcast.bench.factory import open_transport
from perfcast.bench.target import Target
from perfcast.pipeline.stage import stage

with stage(snakemake.log[0]) as log:
    target = Target.from_dict(snakemake.params.name, snakemake.params.target)
    open_transport(target, snakemake.config["hosts"]).check()
    log("all devices answer and have what is needed")
