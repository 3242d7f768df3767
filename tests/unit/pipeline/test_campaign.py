"""What the workflow checks before any job runs, and what it reads from a configuration."""

import pytest
import yaml

from perfcast.bench.target import Target
from perfcast.errors import UsageError
from perfcast.models.collect import collect
from perfcast.pipeline.campaign import read_campaign
from perfcast.pipeline.checks import check_enough_to_fit, check_store, errors_in_one_line, tool_versions
from perfcast.pipeline.parameters import measured
from perfcast.pipeline.shards import specs_by_shard
from tests.system.small_campaign import SHEET, SmallCampaign
from tests.unit.test_cli_tables import MAPPING, rows

CONFIG = {"target": "quick", "shards": 3, "models": {"sheets": ["sheet.csv"]}}
TABLES = {"description": "a table of a test", "tables": ["table.csv"], "mapping": "mapping.yaml"}


@pytest.fixture
def folder(tmp_path, root, monkeypatch):
    monkeypatch.chdir(tmp_path)
    SmallCampaign(tmp_path, root).prepare()
    return tmp_path


def refused(action, *arguments, **options):
    with pytest.raises(UsageError) as error:
        action(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_campaign_has_its_defaults_filled_in(folder, root):
    campaign = read_campaign(CONFIG, "config.yaml", root)
    assert (str(campaign.store), campaign.manifests, campaign.target_results) == (
        "results/store",
        "results/manifests",
        "results/quick",
    )
    assert campaign.config["fit"]["splits"] == 100
    assert len(campaign.models.specs) == 10
    assert campaign.models.summary == "10 models; 0 random combinations discarded\n"
    assert list(campaign.shards) == [0, 1, 2]
    assert not campaign.is_remote
    assert not campaign.is_probed
    assert campaign.tools.keys() == {"tensorflow", "keras", "scikit-learn", "xgboost", "mapie"}
    assert campaign.mapping is None
    # What was given stays as it was.
    assert "store" not in CONFIG


def test_a_target_over_ssh_is_asked_first(folder, root):
    campaign = read_campaign(CONFIG | {"target": "jetson_nano"}, "config.yaml", root)
    assert campaign.is_remote
    assert campaign.is_probed


def test_measuring_gets_a_whole_target(folder, root):
    campaign = read_campaign(CONFIG, "config.yaml", root)
    assert Target.from_dict("quick", measured(campaign)).factor_sets == campaign.target.factor_sets


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": None}, "config.yaml: target: None is not of type 'string'"),
        ({"shard": 2}, "config.yaml: unknown key shard"),
        ({"target": "absent"}, "config/targets/absent.yaml: there is no such file"),
        ({"models": {"sheets": ["none.csv"]}}, "none.csv: there is no such file"),
        ({"store": "results/quick/store"}, "config.yaml: store: results/quick/store is inside results/quick"),
    ],
)
def test_a_mistake_is_one_line_that_names_its_file(folder, root, changes, words):
    assert words in refused(read_campaign, CONFIG | changes, "config.yaml", root)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mapping": "gone.yaml"}, "gone.yaml: there is no such file"),
        ({"tables": ["gone.csv"]}, "gone.csv: there is no such file"),
        ({"tables": []}, "elsewhere.yaml: tables: [] should be non-empty"),
        ({"metrics": ["watt"]}, "watt: unknown metric"),
        ({"device": {}}, "elsewhere.yaml: unknown key device"),
    ],
)
def test_a_mistake_in_a_target_of_tables_is_one_line(folder, root, change, words):
    rows().to_csv(folder / "table.csv", index=False)
    (folder / "mapping.yaml").write_text(yaml.safe_dump(MAPPING))
    (folder / "config/targets/elsewhere.yaml").write_text(yaml.safe_dump(TABLES | change))
    assert words in refused(read_campaign, CONFIG | {"target": "elsewhere"}, "config.yaml", root)


def test_missing_target_says_how_to_choose_one(folder, root):
    config = {key: value for key, value in CONFIG.items() if key != "target"}
    assert "--profile profiles/local" in refused(read_campaign, config, "config.yaml", root)


def test_store_must_not_be_inside_the_outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    disposable = ("results/manifests", "results/quick")
    check_store("results/store", disposable, "config.yaml")
    check_store("results/quick2", disposable, "config.yaml")
    for store in disposable:
        assert "choose a folder outside" in refused(check_store, f"{store}/sub", disposable, "config.yaml")


def test_models_of_a_single_family_are_refused(folder):
    (folder / "sheet.csv").write_text("".join(SHEET.splitlines(keepends=True)[:6]))
    assert "5 models of 1 families" in refused(check_enough_to_fit, collect([folder / "sheet.csv"], None), "d.parquet")


def test_versions_are_those_of_the_rules_environment():
    assert tool_versions(["pytest"], None) == {"pytest": pytest.__version__}
    assert tool_versions(["keras"], "      - 'keras==1.2.3'\n") == {"keras": "1.2.3"}
    assert "does not pin keras" in refused(tool_versions, ["keras"], "")
    assert "--software-deployment-method conda" in refused(tool_versions, ["no-such-package"], None)


def test_shard_depends_on_the_model_name_alone(folder):
    specs = collect([folder / "sheet.csv"], None).specs
    shards = specs_by_shard(specs, 3)
    assert sorted(spec.model for shard in shards for spec in shard) == sorted(spec.model for spec in specs)
    fewer = specs_by_shard(specs[1:], 3)
    assert [[spec for spec in shard if spec != specs[0]] for shard in shards] == fewer


def test_error_gives_one_line_and_its_exit_code(capsys):
    with pytest.raises(SystemExit) as end, errors_in_one_line():
        raise UsageError("config.yaml: shards: must be an integer")
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: config.yaml: shards: must be an integer\n"
