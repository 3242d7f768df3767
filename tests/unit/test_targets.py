"""The targets that ship: each with a description, a profile, and a link for the profile where it is another device."""

import re

import pytest
import yaml

from perfcast.bench.factory import open_transport
from perfcast.bench.target import Target, read_description
from perfcast.config import read_extended
from perfcast.errors import UsageError
from perfcast.runner.workloads import WORKLOADS
from perfcast.runner.workloads.inference import Inference

BOARDS = ("jetson_nano", "jetson_orin", "jetson_tx2", "raspberry_pi4")


@pytest.fixture
def description(root):
    return read_description(root / "config/targets/jetson_nano.yaml")


def test_each_target_is_valid_and_has_a_profile(root):
    names = sorted(path.stem for path in (root / "config/targets").glob("*.yaml"))
    assert names == sorted(["local", *BOARDS])
    for name in names:
        read_description(root / f"config/targets/{name}.yaml")
        profile = yaml.safe_load((root / f"profiles/{name}/config.yaml").read_text())
        assert yaml.safe_load((root / f"profiles/{name}" / profile["configfile"]).read_text()) == {"target": name}


@pytest.mark.parametrize("name", BOARDS)
def test_a_boards_profile_is_found_by_its_name(root, name):
    """Snakemake looks for `--profile NAME` in the working directory, never in `profiles/`."""
    assert (root / name).is_symlink()
    assert (root / name / "config.yaml").resolve() == (root / f"profiles/{name}/config.yaml").resolve()


def _written(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder / "mine.yaml"


def test_target_overrides_its_base_key_by_key(tmp_path):
    path = _written(
        tmp_path,
        mine="extends: middle.yaml\ndevice: {name: Mine}\nsettings: null\n",
        middle="extends: low.yaml\ndevice: {memory_mb: 3}\nmetrics: {a: {unit: s}}\n",
        low="device: {kind: cpu, memory_mb: 2}\nsettings: {priority: 1}\nmetrics: {a: {column: x}, b: {}}\n",
    )
    values, origin = read_extended(path)
    assert values == {
        "device": {"kind": "cpu", "name": "Mine", "memory_mb": 3},
        "settings": None,
        "metrics": {"a": {"unit": "s", "column": "x"}, "b": {}},
    }
    assert origin == " with ".join(f"{tmp_path}/{name}.yaml" for name in ("mine", "middle", "low"))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"mine": "extends: absent.yaml"}, r"mine\.yaml: extends: there is no file .*absent\.yaml"),
        ({"mine": "extends: [a]"}, r"mine\.yaml: extends: must be the name of a YAML file"),
        ({"mine": "extends: mine.yaml"}, r"mine\.yaml: extends: .*mine\.yaml extends this file in turn"),
        ({"mine": "extends: a.yaml", "a": "extends: mine.yaml"}, r"a\.yaml: extends: .*extends this file in turn"),
        ({"mine": "extends: a.yaml", "a": "- 1"}, r"a\.yaml: is a list"),
        (
            {"mine": "extends: a.yaml\nd: {k: {l: 1}}", "a": "d: {k: 1}"},
            r"mine\.yaml: d\.k: is a mapping either here or in",
        ),
    ],
)
def test_base_that_cannot_be_extended_is_named(tmp_path, files, words):
    with pytest.raises(UsageError, match=words) as caught:
        read_extended(_written(tmp_path, **files))
    assert "\n" not in str(caught.value)


def test_wrong_key_of_a_base_names_all_files(tmp_path, description):
    base = yaml.safe_dump(description | {"time_limit_s": -1})
    path = _written(tmp_path, mine="extends: base.yaml\n", base=base)
    with pytest.raises(UsageError, match=r"mine\.yaml with .*base\.yaml: time_limit_s: -1 is less"):
        read_description(path)


def test_reference_container_is_that_of_the_source_document(description):
    container = description["transport"]["container"]
    assert container["image"] == "l4t-tensorflow:r32.7.1-tf2.7-py3"
    assert container["runtime"] == "nvidia"
    assert description["settings"]["swappiness"] == 0


def test_a_container_cannot_swap(description):
    transport = open_transport(Target.from_dict("jetson_nano", description))
    order = transport.remote.container.to_order()
    assert order["memory_bytes"] == 3_000_000_000
    assert [host.name for host in transport.hosts] == ["jetson_nano"]


def test_threads_of_another_machine_must_be_given(description):
    description["factors"]["fixed"]["threads"] = None
    with pytest.raises(UsageError, match=r"factors: threads null means the CPUs of this machine"):
        Target.from_dict("jetson_nano", description)


def test_ssh_options_are_refused_for_the_local_machine(root):
    description = read_description(root / "config/targets/local.yaml")
    description["transport"]["folder"] = "x"
    with pytest.raises(UsageError, match=r"transport\.folder: is only for kind ssh"):
        Target.from_dict("local", description)


def test_hosts_are_refused_for_the_local_machine(root):
    target = Target.from_dict("local", read_description(root / "config/targets/local.yaml"))
    with pytest.raises(UsageError, match=r"^hosts: local measures this machine; remove hosts"):
        open_transport(target, ["nano1"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("folder", "a:b"), ("folder", "a\nb"), ("python", ""), ("retry_timeout_s", -1), ("kind", "pigeon"),
        ("container", {"image": "--privileged"}), ("container", {"image": "a b"}), ("container", {"engine": "docker"}),
        ("container", {"image": "a", "engine": "sh"}), ("container", {"image": "a", "runtime": "-v /:/x"}),
    ],
)  # fmt: skip
def test_dangerous_values_are_refused_before_sending(description, tmp_path, key, value):
    description["transport"][key] = value
    path = tmp_path / "target.yaml"
    path.write_text(yaml.safe_dump(description))
    with pytest.raises(UsageError, match=rf"^{path}: transport"):
        read_description(path)


def test_board_may_vary_its_power_mode(root, tmp_path):
    text = (root / "docs/boards.md").read_text()
    (example,) = re.findall(r"```yaml\n(extends: jetson_nano\.yaml\n.*?)```", text, re.DOTALL)
    path = tmp_path / "modes.yaml"
    path.write_text(example.replace("jetson_nano.yaml", f"{root}/config/targets/jetson_nano.yaml"))
    parts = Target.from_dict("modes", read_description(path)).parts()
    assert [part.all_settings["nvpmodel"] for part in parts] == [0, 1]
    assert {part.all_settings["jetson_clocks"] for part in parts} == {True}


def test_metric_of_another_workload_is_refused(description, monkeypatch):
    class Brief(Inference):
        name = "brief"
        METRICS = ("latency_ms", "ram_run_peak_mb")

    monkeypatch.setitem(WORKLOADS, "brief", Brief)
    description["factors"]["fixed"]["workload"] = "brief"
    words = "metrics.ram_mb.column: the workload brief does not measure system_drop_mb; take one of latency_ms, ram_run"
    with pytest.raises(UsageError, match=words):
        Target.from_dict("mine", description)
