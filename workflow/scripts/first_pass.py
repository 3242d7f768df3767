"""Measure the first shard's models a little; fit and show them."""

import sys
from pathlib import Path

from perfcast.bench.campaign import Campaign
from perfcast.bench.factory import open_transport
from perfcast.bench.record import MeasurementStore
from perfcast.bench.target import Target
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.exports import restore
from perfcast.pipeline.first_pass import measure_first, show_first
from perfcast.pipeline.stage import stage
from perfcast.progress import quiet, track

with stage(snakemake.log[0]) as log:
    params, folder = snakemake.params, Path(snakemake.params.folder)
    folder.mkdir(parents=True, exist_ok=True)
    if Path(params.report).exists():
        log("there is a report of all models: nothing to show before it")
    else:
        target = Target.from_dict(params.name, params.target)
        transport = open_transport(target, snakemake.config["hosts"], log=Path(snakemake.log[0]))
        store = Path(params.store)
        campaign = Campaign(target, transport, ArtifactStore(store), MeasurementStore(store), params.budget_s)
        exports = restore(snakemake.input.exports, snakemake.input.bundle, campaign.artifacts)
        dataset = measure_first(campaign, exports, params.models, track)
        # Later than measuring: scikit-learn sets environment variables, which the runner would inherit.
        from perfcast.fit.stage import options_of

        options = options_of(dataset, params.metrics, params.fit, snakemake.threads)
        lines = show_first(dataset, options, folder, params.store, quiet)
        print("\n".join(lines), file=sys.stderr)
