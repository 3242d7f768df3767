"""Measuring in a container on this machine: an engine that is none, the toolchain that runs nothing."""

import os
import platform
import sys
import threading

import pytest

from perfcast.bench.campaign import Campaign
from perfcast.bench.device_lock import exclusive, lock_of
from perfcast.bench.factory import open_transport
from perfcast.bench.record import MeasurementStore
from perfcast.bench.target import Target
from perfcast.bench.transport import LocalTransport
from perfcast.config import read_yaml
from perfcast.errors import UsageError
from perfcast.export.artifacts import ArtifactStore
from perfcast.progress import quiet
from tests.unit.campaigns import dummy_exports

ENGINE = """#!{python}
import os, sys
folder, words = {folder!r}, sys.argv[1:]
with open(folder + "/engine.log", "a") as log:
    print(words, file=log)
if words[0] == "image":
    print({machine!r})
if words[0] == "run":
    mounted = words[words.index("--volume") + 1].split(":")[0]
    inside = words[words.index("an_image:1") + 1 :]
    os.chdir(mounted)
    os.execvp(inside[0], [word.replace("/perfcast", mounted, 1) for word in inside])
"""


@pytest.fixture
def tools(tmp_path, monkeypatch):
    folder = tmp_path / "tools $(touch spoiled)"
    folder.mkdir()
    engine = folder / "docker"
    engine.write_text(ENGINE.format(python=sys.executable, folder=str(folder), machine=platform.machine()))
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("PERFCAST_LOCKS", str(folder))
    return folder


@pytest.fixture
def description(root):
    description = read_yaml(root / "config/targets/local.yaml")
    container = {"image": "an_image:1", "memory_mb": 500, "python": sys.executable}
    description["transport"] = {"kind": "local", "retry_timeout_s": 60, "container": container}
    description["factors"]["fixed"]["toolchain"] = "noop"
    description["protocol"] = {"name": "published", "iterations": 8, "discard": 2, "visits": 2}
    description["settings"] = {}
    description["replicates"] = {"share": 0.0, "count": 0}
    return description


def campaign(description, folder):
    target = Target.from_dict("boxed", description)
    transport = open_transport(target, log=folder / "log")
    return Campaign(target, transport, ArtifactStore(folder), MeasurementStore(folder))


def test_measurements_of_a_container_are_stored_on_the_host(tools, description, tmp_path):
    made = campaign(description, tmp_path)
    keys = made.measure(dummy_exports(tmp_path), quiet, "measuring")
    assert [made.measurements.measurement(key)["status"] for key in keys] == ["measured"] * 3
    called = (tools / "engine.log").read_text()
    assert "'--memory', '500000000', '--memory-swap', '500000000'" in called
    assert len(list((tools / ".cache/perfcast/graphs").glob("*.pb.gz"))) == 1


def test_container_waits_for_a_campaign_on_the_host(tools, description, tmp_path, capsys):
    made = campaign(description, tmp_path)
    exports = dummy_exports(tmp_path, count=1)
    done = threading.Event()
    with exclusive(lock_of(LocalTransport().name), "measuring"):
        thread = threading.Thread(target=lambda: (made.measure(exports, quiet, "measuring"), done.set()))
        thread.start()
        assert not done.wait(3)
    thread.join(60)
    assert done.is_set()
    assert "running since" in capsys.readouterr().err


def test_missing_requirements_are_reported_first(tools, description):
    description["transport"]["container"]["engine"] = "podman"
    engine = tools / "podman"
    engine.write_text('#!/bin/sh\n[ "$1" = info ]\n')
    engine.chmod(0o755)
    transport = open_transport(Target.from_dict("boxed", description))
    message = rf"boxed cannot be measured on {platform.node()}; fix this first:\n  - the image an_image:1 is missing"
    with pytest.raises(UsageError, match=message):
        transport.check()
