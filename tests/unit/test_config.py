import runpy

import pytest

from perfcast.bench.target import Target, available_cpus, read_description
from perfcast.config import check, read_yaml, schema
from perfcast.errors import UsageError


@pytest.fixture
def config(root):
    return read_yaml(root / "config/config.yaml") | {"target": "local"}


@pytest.fixture
def target(root):
    return read_yaml(root / "config/targets/local.yaml")


def test_shipped_configuration_is_valid(config, target, root):
    check(config, "config", "config.yaml")
    for path in (root / "config/targets").glob("*.yaml"):
        read_description(path)
    full = read_yaml(root / "config/full.yaml")
    merged = config | full | {"fit": config["fit"] | full["fit"]}
    check(merged, "config", "full.yaml")


def _leaves(properties, path=()):
    for name, values in properties.items():
        yield (*path, name), values
        yield from _leaves(values.get("properties", {}), (*path, name))


def test_documented_options_are_those_of_the_schemas(root):
    writer = runpy.run_path(str(root / "docs/write_options.py"))
    text = (root / "config/README.md").read_text()
    assert writer["readme"]() == text, "run python docs/write_options.py"
    for name in writer["SCHEMAS"]:
        section = text.split(f"## `{name}`")[1].split("\n## ")[0]
        for path, _ in _leaves(schema(name)["properties"]):
            assert f"| `{'.'.join(path)}` |" in section


def test_each_metric_is_a_column_of_the_dataset():
    from perfcast.dataset.build import SCHEMA as DATASET
    from perfcast.dataset.columns import METRIC_COLUMNS

    columns = schema("target")["properties"]["metrics"]["additionalProperties"]["properties"]["column"]["enum"]
    assert columns == list(METRIC_COLUMNS)
    assert set(columns) <= set(DATASET.columns)


def test_metric_without_a_column_is_named(target):
    target["metrics"]["latency_ms"]["column"] = "latency"
    with pytest.raises(UsageError, match=r"t\.yaml: metrics\.latency_ms\.column: 'latency' is not one of"):
        check(target, "target", "t.yaml")


def test_default_threads_are_the_available_cpus(target):
    assert Target.from_dict("local", target).factors["threads"] == available_cpus()
    target["factors"]["fixed"]["threads"] = 1
    assert Target.from_dict("local", target).factors["threads"] == 1
