import copy

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


def test_what_ships_is_valid(config, target, root):
    check(config, "config", "config.yaml")
    for path in (root / "config/targets").glob("*.yaml"):
        read_description(path)
    full = read_yaml(root / "config/full.yaml")
    merged = config | full | {"fit": config["fit"] | full["fit"]}
    check(merged, "config", "full.yaml")


def _leaves(properties, path=()):
    for name, values in properties.items():
        yield (*path, name)
        yield from _leaves(values.get("properties", {}), (*path, name))


@pytest.mark.parametrize("name", ["config", "target", "imported", "mapping"])
def test_each_option_is_documented_and_each_documented_option_exists(root, name):
    text = (root / "config/README.md").read_text()
    section = text.split(f"## `{name}`")[1].split("\n## ")[0]
    documented = {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}
    properties = schema(name)["properties"]
    options = {".".join(path) for path in _leaves(properties)}
    assert documented == options


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("shards",), 0, "shards: 0 is less than the minimum"),
        (("shards",), "four", "shards: 'four' is not of type 'integer'"),
        (("shard",), 4, "unknown key shard; known are fit, hosts, models"),
        (("target",), "../etc", "target: '../etc' does not match"),
        (("models", "sheets"), "x.csv", "models.sheets: 'x.csv' is not of type 'array'"),
        (("models", "synthetic"), {"count": 3}, "models.synthetic"),
        (("fit", "splits"), 1.5, "fit.splits: 1.5 is not of type 'integer'"),
        (("fit", "test_share"), 1, "fit.test_share: 1 is greater than or equal"),
        (("fit", "split"), 3, "fit: unknown key split"),
    ],
)
def test_a_wrong_option_is_named(config, path, value, words):
    wrong = copy.deepcopy(config)
    inner = wrong
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(UsageError) as caught:
        check(wrong, "config", "my.yaml")
    assert str(caught.value).startswith("my.yaml: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_option_is_named(config):
    del config["fit"]
    with pytest.raises(UsageError, match=r"my\.yaml: 'fit' is a required property"):
        check(config, "config", "my.yaml")


@pytest.mark.parametrize("content", ["a: [1", "\t", "a: &x\n- *y"])
def test_what_is_no_yaml_is_one_line(tmp_path, content):
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"bad\.yaml") as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)


def test_each_metric_that_may_be_learned_is_a_column_of_the_dataset():
    from perfcast.dataset.build import SCHEMA as DATASET
    from perfcast.dataset.columns import METRIC_COLUMNS

    columns = schema("target")["properties"]["metrics"]["additionalProperties"]["properties"]["column"]["enum"]
    assert columns == list(METRIC_COLUMNS)
    assert set(columns) <= set(DATASET.columns)


def test_a_metric_of_no_column_is_named(target):
    target["metrics"]["latency_ms"]["column"] = "latency"
    with pytest.raises(UsageError, match=r"t\.yaml: metrics\.latency_ms\.column: 'latency' is not one of"):
        check(target, "target", "t.yaml")


def test_threads_left_open_are_the_cpus_there_are(target):
    assert Target.from_dict("local", target).factors["threads"] == available_cpus()
    target["factors"]["fixed"]["threads"] = 1
    assert Target.from_dict("local", target).factors["threads"] == 1
