"""What is left when processes are killed, through the doors that the next ones come in by."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psutil
import pytest

from perfcast.bench.campaign import Campaign
from perfcast.bench.exclusion import exclusive
from perfcast.bench.record import SCHEMA_VERSION, MeasurementStore
from perfcast.bench.target import Protocol, Replicates, Target
from perfcast.bench.transport import RUNNER, LocalTransport
from perfcast.catalog.dense import make_spec
from perfcast.config import read_yaml
from perfcast.errors import BenchmarkError, NewerRecordError
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import Export, export_key
from perfcast.progress import quiet
from perfcast.storage import ABANDONED_AFTER_S

INPUTS = [{"node": "x", "shape": [4], "dtype": "float32"}]
OUTPUTS = [{"tensor": "y:0", "shape": [2], "dtype": "float32"}]


@pytest.fixture
def exports(tmp_path):
    """Exports of graphs that only the toolchain which runs nothing can run."""
    store = ArtifactStore(tmp_path)
    specs = [make_spec("mlp", (8, 8, 3), {"layers": layers, "units": 4}) for layers in (1, 2, 3)]
    descriptor = {"graph": {"inputs": INPUTS, "outputs": OUTPUTS}}
    return [Export(s, store.put(export_key(s), b"graph", descriptor | {"model": s.model})) for s in specs]


@pytest.fixture
def campaign(tmp_path, root):
    description = read_yaml(root / "config/targets/local.yaml")
    description["factors"]["toolchain"] = "null"
    target = replace(Target.from_dict("local", description), replicates=Replicates(0.0, 0))
    return Campaign(target, LocalTransport(tmp_path / "log"), ArtifactStore(tmp_path), MeasurementStore(tmp_path))


def lasting(campaign, iterations):
    target = replace(campaign.target, protocol=Protocol("published", iterations, 0))
    return replace(campaign, target=target)


def test_campaigns_of_two_targets_on_one_device_wait_for_each_other(campaign, exports, tmp_path, capsys):
    one = lasting(campaign, 5_000)
    other = replace(one, target=replace(one.target, name="other"), transport=LocalTransport(tmp_path / "other log"))
    with ThreadPoolExecutor() as pool:
        keys = list(pool.map(lambda each: each.measure(exports, quiet, "measuring"), (one, other)))
    assert set(keys[0]).isdisjoint(keys[1])
    assert "waiting for process" in capsys.readouterr().err


def test_a_lost_context_is_made_again_with_its_measurements(campaign, exports):
    keys = campaign.measure(exports, quiet, "measuring")
    contexts = campaign.measurements.root / "contexts"
    for path in contexts.iterdir():
        path.unlink()
    assert campaign.measure(exports, quiet, "measuring") == keys
    records = [campaign.measurements.measurement(key) for key in keys]
    assert all(campaign.measurements.context(record["context"]) for record in records)


def test_a_newer_record_is_left_alone(campaign, exports):
    key = campaign.measure(exports[:1], quiet, "measuring")[0]
    newer = campaign.measurements.measurement(key) | {"schema_version": SCHEMA_VERSION + 1}
    campaign.measurements.put(newer)
    path = campaign.measurements.root / f"measurements/{key}.json"
    before = path.read_bytes()
    with pytest.raises(NewerRecordError, match="update perfcast"):
        campaign.measure(exports[:1], quiet, "measuring")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        {"record": {}, "digest": "x"},
        {"record": {"key": float("nan")}, "digest": "x"},
        {"record": "\ud800", "digest": "x"},
        [],
        {"record": [1], "digest": "x"},
    ],
)
def test_what_is_no_record_is_measured_again(campaign, exports, change):
    key = campaign.measure(exports[:1], quiet, "measuring")[0]
    path = campaign.measurements.root / f"measurements/{key}.json"
    path.write_text(json.dumps(change))
    campaign.measure(exports[:1], quiet, "measuring")
    assert campaign.measurements.measurement(key)["verdict"] == "measured"


def test_a_record_under_another_key_is_measured_again(campaign, exports):
    first, second = campaign.measure(exports[:2], quiet, "measuring")
    folder = campaign.measurements.root / "measurements"
    (folder / f"{first}.json").write_bytes((folder / f"{second}.json").read_bytes())
    campaign.measure(exports[:2], quiet, "measuring")
    assert campaign.measurements.measurement(first)["key"] == first


def test_two_campaigns_at_once_measure_each_model_once(campaign, exports, tmp_path, capsys):
    one = lasting(campaign, 5_000)
    other = replace(one, transport=LocalTransport(tmp_path / "other log"))
    with ThreadPoolExecutor() as pool:
        keys = list(pool.map(lambda each: each.measure(exports, quiet, "measuring"), (one, other)))
    assert keys[0] == keys[1]
    logs = (tmp_path / "log").read_text() + (tmp_path / "other log").read_text()
    started = re.findall(r"^measuring (\w+)$", logs, re.MULTILINE)
    assert sorted(started) == sorted(keys[0])
    assert "one process at a time may be measuring on " in capsys.readouterr().err


HOLDER = """
import sys, time
from pathlib import Path
from perfcast.bench.exclusion import exclusive
with exclusive(Path(sys.argv[1]), "here"):
    print("in", flush=True)
    time.sleep(60)
"""


def test_a_killed_holder_gives_the_lock_back_and_a_living_one_is_named(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "a.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "in\n"
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as second:
            assert f"waiting for process {first.pid} on " in second.stderr.readline()
            first.kill()
            assert second.stdout.readline() == "in\n"
            second.kill()
    with exclusive(tmp_path / "a.lock", "here"):
        pass


def test_a_runner_that_is_killed_is_one_line_and_what_it_measured_stays(campaign, exports):
    campaign = lasting(campaign, 10_000)
    killed = []

    def after_the_first(stored):
        if not killed:
            runner = next(p for p in psutil.Process().children() if "plan.json" in " ".join(p.cmdline()))
            runner.send_signal(signal.SIGKILL)
            killed.append(stored)

    measured = CountedStore(campaign.measurements.root, after_the_first)
    with pytest.raises(BenchmarkError, match=r"^the runner was killed by signal 9; run again to go on$"):
        replace(campaign, measurements=measured).measure(exports, quiet, "measuring")
    (first,) = killed
    path = campaign.measurements.root / f"measurements/{first}.json"
    before = path.stat().st_mtime_ns
    keys = campaign.measure(exports, quiet, "measuring")
    assert path.stat().st_mtime_ns == before
    assert all(campaign.measurements.is_settled(key, 600) for key in keys)


class CountedStore(MeasurementStore):
    """A store that says what was put into it."""

    def __init__(self, root, said):
        super().__init__(root)
        object.__setattr__(self, "said", said)

    def put(self, record):
        super().put(record)
        self.said(record["key"])


def test_what_killed_writers_left_is_not_read_and_goes_after_a_day(campaign, exports, tmp_path):
    left = []
    for name in ("measurements/.abc.json.x1.json", "exports/.abc.json.x2.json", "artifacts/.new-x3/graph.pb"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'{"half')
        left.append(tmp_path / "/".join(name.split("/")[:2]))
    keys = campaign.measure(exports, quiet, "measuring")
    assert len(keys) == 3
    assert all(path.exists() for path in left)
    for path in left:
        os.utime(path, (time.time() - ABANDONED_AFTER_S - 60,) * 2)
    campaign.measurements.sweep()
    campaign.artifacts.sweep()
    assert not any(path.exists() for path in left)
    assert all(campaign.measurements.is_settled(key, 600) for key in keys)
    assert all(campaign.artifacts.descriptor(export.artifact) for export in exports)


WITHOUT_THE_KERNELS_HELP = """
import ctypes, runpy, sys
del ctypes.CDLL
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


def test_without_the_kernels_help_the_runner_ends_with_whoever_started_it(campaign, exports, tmp_path):
    path = tmp_path / "plan.json"
    endless = lasting(campaign, 10**8)
    path.write_text(json.dumps(endless._plan(endless.tasks(exports[:1]))))
    command = [sys.executable, "-c", WITHOUT_THE_KERNELS_HELP, str(RUNNER), "--die-with-parent", str(path)]
    starter = f"import subprocess; subprocess.run({command!r})"
    stage = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        family = psutil.Process(stage.pid).children(recursive=True)
        if len(family) == 2 and family[1].cpu_times().user > 0.3:
            break
        time.sleep(0.05)
    stage.kill()
    stage.wait()
    _, alive = psutil.wait_procs(family, timeout=15)
    assert len(family) == 2
    assert alive == []
