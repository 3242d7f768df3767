"""Factors: the table, and the combinations that a target asks for."""

from dataclasses import replace

import pandas as pd
import pytest

from perfcast.bench.target import Target
from perfcast.config import check, read_yaml
from perfcast.dataset.fingerprint import refuse_mixed_fingerprints
from perfcast.dataset.rows import measurement_row
from perfcast.errors import DataError, UsageError
from perfcast.factors import ASKED, CATEGORICAL, FACTORS, NAMES, NUMERIC, SETTINGS, factor_sets, in_words, varying
from tests.unit.campaigns import dummy_exports, idle_campaign, measure, tasks_of

pytestmark = pytest.mark.heavy


def described(**factors):
    return {"fixed": {"toolchain": "noop", "threads": 1}} | factors


def test_every_factor_is_categorical_or_a_number():
    assert len(set(NAMES)) == len(FACTORS)
    assert set(CATEGORICAL) | set(NUMERIC) == set(NAMES)
    assert {factor.type for factor in FACTORS if not factor.is_categorical} <= {int, float}


def test_target_without_vary_has_one_set_of_defaults():
    (chosen,) = factor_sets({})
    assert chosen == {
        factor.name: factor.default for factor in ASKED if factor.owner != "workload" and factor not in SETTINGS
    }


def test_all_combinations_come_in_the_order_of_the_lists():
    sets = factor_sets(described(fixed={}, vary={"threads": [2, 1], "batch": [1, 8]}))
    assert [(chosen["threads"], chosen["batch"]) for chosen in sets] == [(2, 1), (2, 8), (1, 1), (1, 8)]


def test_an_exclusion_removes_what_has_all_its_values():
    sets = factor_sets({"vary": {"threads": [1, 2], "batch": [1, 8]}, "exclude": [{"threads": 1, "batch": 8}]})
    assert [(chosen["threads"], chosen["batch"]) for chosen in sets] == [(1, 1), (2, 1), (2, 8)]


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"fixed": {"batch": 1}, "vary": {"batch": [1, 2]}}, "batch is both fixed and varied"),
        ({"vary": {"batch": [1, 2]}, "exclude": [{"batch": 3}]}, "exclude.0: no combination has these values"),
        ({"exclude": [{"batch": 1}]}, "excludes every combination"),
        ({"vary": {"batch": list(range(1, 50)), "threads": list(range(1, 50))}}, "more than 1,000 combinations"),
    ],
)
def test_invalid_combinations_are_refused(factors, message):
    with pytest.raises(UsageError, match=f"factors.*{message}"):
        factor_sets(factors)


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"threads": 1}, "unknown key threads; known are exclude, fixed, vary"),
        ({"fixed": {"thread": 1}}, "unknown key thread"),
        ({"fixed": {"device": "mine"}}, "unknown key device"),
        ({"vary": {"batch": []}}, r"vary\.batch"),
        ({"vary": {"batch": [1, 1]}}, r"vary\.batch"),
        ({"vary": {"batch": [0]}}, r"vary\.batch\.0: 0 is less than the minimum"),
        ({"vary": {"toolchain": ["tensorflwo"]}}, r"vary\.toolchain\.0"),
        ({"exclude": [{}]}, r"exclude\.0"),
    ],
)
def test_a_wrong_description_names_its_key(root, factors, message):
    description = read_yaml(root / "config/targets/local.yaml") | {"factors": factors}
    with pytest.raises(UsageError, match=message):
        check(description, "target", "local.yaml")


def test_explicit_default_is_the_same_target(root):
    description = read_yaml(root / "config/targets/local.yaml")
    explicit = Target.from_dict("local", description)
    assert Target.from_dict("local", description | {"factors": {}}) == explicit


def test_columns_that_take_several_values_vary():
    table = pd.DataFrame(
        {"batch": [1, 1, 8], "threads": [1, 1, 1], "clock_mhz": [None, None, 900.0], "model": [1, 2, 3]}
    )
    assert set(varying(table)) == {"batch", "clock_mhz"}


def test_a_set_is_described_by_what_differs():
    one, two = factor_sets({"vary": {"batch": [1, 8]}})
    assert (in_words(one, [one, two]), in_words(two, [one, two])) == ("batch 1", "batch 8")
    assert in_words(one, [one]) == ""


def varied(campaign, **vary):
    (only,) = campaign.target.factor_sets
    fixed = {name: value for name, value in only.items() if name not in vary}
    return replace(campaign, target=replace(campaign.target, factor_sets=factor_sets({"fixed": fixed, "vary": vary})))


def test_each_combination_has_its_own_key(tmp_path, root):
    exports = dummy_exports(tmp_path, count=2)
    campaign = varied(idle_campaign(tmp_path, root), threads=[1, 2], batch=[1, 4])
    records = measure(campaign, exports)
    found = {(r["model"], r["factors"]["threads"], r["factors"]["batch"]) for r in records}
    assert len(found) == len({r["key"] for r in records}) == 8
    assert {r["status"] for r in records} == {"measured"}


def test_value_added_to_vary_measures_only_new_combinations(tmp_path, root):
    exports = dummy_exports(tmp_path, count=2)
    campaign = idle_campaign(tmp_path, root)
    before = varied(campaign, batch=[1, 2])
    kept = {record["key"]: record for record in measure(before, exports)}
    wider = varied(campaign, batch=[1, 2, 4])
    new = [task for part in wider.parts() for task in part.missing(tasks_of(part, exports))]
    assert {task.factors["batch"] for task in new} == {4}
    records = {record["key"]: record for record in measure(wider, exports)}
    assert {key: records[key] for key in kept} == kept
    assert len(records) == 6


def test_power_modes_of_a_board_are_set_one_after_the_other(campaign, exports, runner):
    records = measure(varied(campaign, nvpmodel=[0, 1]), exports[:1])
    assert [plan["settings"] for plan in runner.plans] == [{"nvpmodel": 0}, {"nvpmodel": 1}]
    assert [record["factors"]["nvpmodel"] for record in records] == [0, 1]
    assert [measurement_row(record)["nvpmodel"] for record in records] == [0, 1]
    assert len({record["key"] for record in records}) == 2


def test_environments_may_differ_in_what_factors_set():
    def measured(mode, factors):
        settings = {"settings": {"nvpmodel": mode}, "machine": {}, "software": {}, "variables": {}}
        return {"environment": mode, "fingerprint": mode, "target": "nano", "factors": factors}, settings

    found = [measured(mode, {"toolchain": "noop", "nvpmodel": mode}) for mode in (0, 1)]
    environments = {record["environment"]: environment for record, environment in found}
    refuse_mixed_fingerprints([record for record, _ in found], environments)
    unset = [record | {"factors": {"toolchain": "noop"}} for record, _ in found]
    with pytest.raises(DataError, match="different environments: nvpmodel is 0 in 1, 1 in 1"):
        refuse_mixed_fingerprints(unset, environments)


def test_target_that_names_no_power_mode_has_the_keys_it_had(tmp_path, root):
    (chosen,) = idle_campaign(tmp_path, root).target.factor_sets
    assert "nvpmodel" not in chosen


def test_setting_that_is_also_a_factor_is_refused(root):
    description = read_yaml(root / "config/targets/local.yaml")
    twice = description | {"factors": {"vary": {"nvpmodel": [0, 1]}}, "settings": {"nvpmodel": 0}}
    with pytest.raises(UsageError, match=r"nvpmodel is one of the settings, too; set settings\.nvpmodel to null"):
        Target.from_dict("board", twice)
