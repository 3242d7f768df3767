"""Campaigns that take no time: graphs that are none, the toolchain that runs nothing, a runner that only answers."""

import json
from dataclasses import replace
from pathlib import Path

from perfcast.bench.campaign import Campaign, Pace
from perfcast.bench.record import MeasurementStore
from perfcast.bench.target import Protocol, Replicates, Target
from perfcast.bench.transport import LocalTransport, placed
from perfcast.config import read_yaml
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.exports import Export
from perfcast.export.key import export_key
from perfcast.export.programs import program_key
from perfcast.models.dense import make_spec
from perfcast.progress import quiet
from perfcast.runner.protocol import fingerprint_of

FAKE = Path(__file__).with_name("fake_runner.py")
ADAPTIVE = Protocol("adaptive", 20, 4, visits=4, repeats=2, min_visits=2, rel_ci_half_width=0.02)

INPUTS = [{"node": "x", "shape": [4], "dtype": "float32"}]
OUTPUTS = [{"tensor": "y:0", "shape": [2], "dtype": "float32"}]


HOSTILE_NAME = "my \"net\"; $(touch spoiled) 'it' `touch spoiled` \N{SNOWMAN}\n\\"
"""As a user may name a file of a model, and perfcast then the model."""


def hostile_export(folder):
    """Return the export of a model that is named so."""
    (export,) = dummy_exports(folder, count=1)
    spec = replace(export.spec, name=HOSTILE_NAME)
    return stored(spec, ArtifactStore(folder), b"graph of a name")


def stored(spec, store, graph=b"graph", descriptor=None):
    """Return the export of a spec whose artifact holds next to nothing."""
    key = export_key(spec)
    artifact = store.put(key, descriptor or {"model": spec.model})
    interface = {"inputs": INPUTS, "outputs": OUTPUTS}
    program = store.put_program(artifact, "graph.pb", program_key(key, "graph.pb"), graph, interface)
    return Export(spec, artifact, (program,))


def dummy_exports(folder, count=3):
    """Return exports of graphs that only the toolchain which runs nothing can run."""
    store = ArtifactStore(folder)
    specs = [make_spec("mlp", (8, 8, 3), {"layers": layers + 1, "units": 4}) for layers in range(count)]
    return [stored(spec, store) for spec in specs]


def idle_campaign(folder, root, protocol=ADAPTIVE):
    """Return a campaign of the toolchain that runs nothing, and reads no power; its store and log are in ``folder``."""
    description = read_yaml(root / "config/targets/local.yaml")
    description["factors"]["fixed"]["toolchain"] = "noop"
    target = Target.from_dict("local", description)
    target = replace(target, replicates=Replicates(0.0, 0), protocol=protocol, power="off")
    return Campaign(target, LocalTransport(folder / "log"), ArtifactStore(folder), MeasurementStore(folder))


def measure(campaign, exports):
    """Measure, and return the records."""
    keys = campaign.measure(exports, quiet, "measuring")
    return [campaign.measurements.measurement(key) for key in keys]


def tasks_of(campaign, exports):
    """Return the measurements that exports ask for, here and now."""
    return campaign.tasks(exports, campaign.environment())


def plan_of(campaign, exports):
    """Return what a campaign asks the runner for, here."""
    collector = campaign._collector(tasks_of(campaign, exports), fingerprint_of(campaign.environment()), "here")
    return placed(
        campaign._plan(collector, Pace()), {name: str(path) for name, path in campaign._programs(collector).items()}
    )


class FakeRunner:
    """The runner of `fake_runner.py`, and what it was asked for."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        monkeypatch.setattr("perfcast.bench.transport.RUNNER", FAKE)
        monkeypatch.setenv("FAKE_RUNNER", str(folder / "wishes.json"))
        self.wish()

    def wish(self, **wishes):
        """Have it do other things than usual from now on."""
        content = wishes | {"seen": str(self.folder / "seen")}
        (self.folder / "wishes.json").write_text(json.dumps(content))

    @property
    def plans(self):
        seen = self.folder / "seen"
        return [json.loads(line) for line in seen.read_text().splitlines()] if seen.exists() else []
