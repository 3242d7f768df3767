"""Measure a shard's models on the target."""

from pathlib import Path

from perfcast.bench.campaign import Campaign
from perfcast.bench.factory import open_transport
from perfcast.bench.record import MeasurementStore
from perfcast.bench.target import Target
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.exports import restore
from perfcast.pipeline.budget import note
from perfcast.pipeline.stage import stage
from perfcast.progress import track
from perfcast.storage import write_json

with stage(snakemake.log[0]) as log:
    target = Target.from_dict(snakemake.params.name, snakemake.params.target)
    store = Path(snakemake.params.store)
    transport = open_transport(target, snakemake.config["hosts"], log=Path(snakemake.log[0]))
    artifacts = ArtifactStore(store)
    effort, measurements = snakemake.params.effort, MeasurementStore(store)
    campaign = Campaign(target, transport, artifacts, measurements, effort["budget_s"])
    exports = restore(snakemake.input.exports, snakemake.input.bundle, artifacts)
    name = f"measuring, part {int(snakemake.wildcards.shard) + 1} of {snakemake.params.shards}"
    keys = campaign.measure(exports, track, name)
    manifest = measurements.manifest(keys)
    write_json(snakemake.output.manifest, manifest)
    note(snakemake.params.progress, effort, complete=manifest["complete"])
    log(f"{len(keys)} measurements")
