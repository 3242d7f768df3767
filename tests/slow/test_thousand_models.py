"""A campaign of a thousand models, of which one changes: one is measured, and little else takes time."""

import json
import sys
import time
from pathlib import Path

import pytest

from perfcast.export.artifacts import ArtifactStore
from perfcast.export.key import export_key
from perfcast.export.programs import convert, program_key
from perfcast.export.stage import build
from perfcast.models.sheet import read_sheet
from tests.system.small_campaign import SmallCampaign

UNITS = range(4, 504)
DATASET = "results/quick/dataset.parquet"
OLD, NEW = "dense,mlp,8,layers=1;units=77\n", "dense,mlp,8,layers=3;units=77\n"


@pytest.fixture
def campaign(tmp_path, root):
    """A campaign of 1,000 models, exported beforehand: the graph of one stands for all, as nothing is to run it."""
    campaign = SmallCampaign(tmp_path, root)
    campaign.prepare(share=0.0)
    campaign.edit("config.yaml", "shards: 2", "shards: 8")
    dense = [f"dense,mlp,8,layers={layers};units={units}" for layers in (1, 2) for units in UNITS]
    synthetic = "synthetic,basic_model,8,conv_layers=1;filter_size=3;filters=8;strides=2"
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("\n".join(["source,builder,input_size,parameters", *dense[:-1], synthetic, ""]))
    specs = read_sheet(sheet)
    store = ArtifactStore(Path(tmp_path) / "results/store")
    built = build(specs[0])
    graph, interface = convert(built, "graph.pb")
    text = json.dumps(built.descriptor)
    for spec in specs:
        names = {"model": spec.model, "name": spec.name, "family": spec.family, "source": spec.source}
        key = export_key(spec)
        artifact = store.put(key, json.loads(text) | names)
        store.put_program(artifact, "graph.pb", program_key(key, "graph.pb"), graph, interface)
    return campaign


def timed(campaign):
    start = time.monotonic()
    answer = campaign.run(DATASET)
    assert answer.code == 0, answer.said
    return answer, time.monotonic() - start


def test_only_the_changed_one_of_1000_models_is_measured(campaign, capsys):
    _, first_s = timed(campaign)
    before = campaign.records()
    assert len(before) == 1000
    campaign.edit("sheet.csv", OLD, NEW)
    answer, second_s = timed(campaign)
    after = campaign.records()
    assert {key: after.get(key) for key in before} == before
    assert [campaign.model_of(key) for key in after.keys() - before.keys()] == ["mlp_3_77_8"]
    per_shard = [job for job in answer.jobs if job.startswith(("export_shard", "benchmark_shard"))]
    assert len(per_shard) <= 4  # those of the old model's shard and of the new one's
    with capsys.disabled():
        sys.stdout.write(f"\n1,000 models: {first_s:.0f} s without exporting; one changed: {second_s:.0f} s\n")
    assert second_s < first_s / 2
