"""`perfcast compare`: as a user meets it, and its statistics on made-up noise."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy import stats

from perfcast.cli import main
from perfcast.errors import UsageError
from perfcast.studies.comparison.comparison import Options, compare
from perfcast.studies.comparison.pairs import pair, read_dataset
from perfcast.studies.comparison.variance import between_models, moderated, scale
from perfcast.studies.statistics.significance import adjusted
from tests.unit.simulated_campaigns import LOADS, Models, campaign, row, slowed

pytestmark = pytest.mark.heavy

LATENCY, MEMORY = "latency_ms", "ram_run_peak_mb"
VISITS, SAMPLES = 5, 20


def dataset(chance, models=10, noise=0.02, shift=0.0, seen=1.0, visits=VISITS, treated=0.005):
    """A campaign on a machine that is slower by ``shift``, of which calibration sees the share ``seen``."""
    rows = []
    for number in range(models):
        level = np.log(1 + number) + shift + treated * chance.standard_normal() + noise * chance.standard_normal(visits)
        times = np.exp(level[:, None] + 0.01 * chance.standard_normal((visits, SAMPLES)))
        calibration = np.exp(seen * shift + 0.002 * chance.standard_normal(visits))
        rows.append(row(f"model_{number}", times, calibration) | {MEMORY: (10 + number) * chance.normal(1, 0.01)})
    return pd.DataFrame(rows)


def compared(first, second, column=LATENCY, threshold=0.05, alpha=0.05):
    return compare(pair(first, second, column), Options(threshold, alpha))


@pytest.fixture
def chance():
    return np.random.default_rng(1)


@pytest.fixture
def files(tmp_path):
    def written(**tables):
        for name, table in tables.items():
            table.to_parquet(tmp_path / f"{name}.parquet")
        return [tmp_path / f"{name}.parquet" for name in tables]

    return written


def run(*arguments):
    answer = CliRunner().invoke(main, ["compare", *map(str, arguments)])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer


def test_regression_is_reported_with_exit_code_1(files, chance, tmp_path):
    first = dataset(chance, noise=0.005)
    second = slowed(dataset(chance, noise=0.005), ["model_3"], 1.3).assign(threads=1, toolchain_version="3")
    a, b = files(a=first.assign(toolchain_version="2"), b=second)
    answer = run(a, b, "--out", tmp_path / "out.csv")
    assert answer.exit_code == 1, answer.output
    assert "threads: 2 in A, 1 in B" in answer.output
    assert "toolchain_version: 2 in A, 3 in B" in answer.output
    assert "regression beyond 5%: 1 of 10 models, model_3 1.3" in answer.output
    table = pd.read_csv(tmp_path / "out.csv").set_index("model")
    assert list(table.index[table["outcome"] == "slower"]) == ["model_3"]
    assert table.loc["model_3", "low"] < 1.3 < table.loc["model_3", "high"]
    assert table.loc["model_3", "ratio"] == pytest.approx(1.3, rel=0.05)
    assert run(a, b, "--threshold", "0.5").exit_code == 0


def test_improvement_is_reported_with_exit_code_0(files, chance):
    first, second = dataset(chance, noise=0.005), slowed(dataset(chance, noise=0.005), ["model_3"], 0.7)
    answer = run(*files(a=first, b=second))
    assert answer.exit_code == 0
    assert "improvement beyond 5%: 1 of 10 models, model_3 0.7" in answer.output
    assert "no significant regression beyond 5%; a change of one model would probably be found from" in answer.output


def test_folders_of_results_can_be_named(chance, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        dataset(chance).to_parquet(tmp_path / name / "dataset.parquet")
    assert run(tmp_path / "a", tmp_path / "b").exit_code == 0


def test_excluded_rows_are_reported(files, chance):
    first, second = dataset(chance, 12), dataset(chance, 11)
    first.loc[1, "trust"] = "rejected"
    second.loc[2, "status"] = "timed_out"
    second.loc[3, LATENCY] = np.nan
    repeated = slowed(first.iloc[[5]].assign(replicate=1), ["model_5"], 1.01)
    answer = run(*files(a=pd.concat([first, repeated]), b=second))
    assert answer.exit_code == 0, answer.output
    assert "8 in both, 3 only in A, 1 only in B" in answer.output
    assert "excluded from A: 1 rejected\n" in answer.output
    assert "excluded from B: 1 not measured, 1 without a value\n" in answer.output


def test_reused_measurements_are_not_compared(files, chance, tmp_path):
    first, second = (dataset(chance, 8, noise=0.005).assign(started_at=f"2026-11-30T1{n}:00:00Z") for n in range(2))
    kept = pd.concat([first.iloc[:2], slowed(second, ["model_5"], 1.3).iloc[2:]])
    answer = run(*files(a=first, b=kept))
    assert answer.exit_code == 1
    assert "models compared by latency_ms: 6 in both" in answer.output
    assert "not compared: 2 models with the same samples in both" in answer.output
    answer = run(*files(a=first, b=first), "--out", tmp_path / "page.html")
    assert answer.exit_code == 0
    assert "nothing is decided: no model was measured twice" in answer.output


def test_equal_keys_are_not_equal_samples(files, chance):
    first, second = (dataset(chance).assign(measurement="key", started_at="2026-11-30T10:00:00Z") for _ in range(2))
    assert "same samples" not in run(*files(a=first, b=second)).output


def test_equal_samples_of_a_coarse_clock_are_two_measurements(files, chance):
    table = dataset(chance).assign(started_at="2026-11-30T10:00:00Z")
    answer = run(*files(a=table, b=table.assign(started_at="2026-11-30T11:00:00Z")))
    assert "same samples" not in answer.output


def test_mistake_is_one_line_with_exit_code_2(files, chance, tmp_path):
    table = dataset(chance)
    a, others, twice, headless, memoryless, worded = files(
        a=table,
        others=table.assign(model=[f"other_{number}" for number in range(10)]),
        twice=pd.concat([table, table]),
        headless=table.drop(columns="status"),
        memoryless=table.drop(columns=MEMORY),
        worded=table.assign(**{LATENCY: "fast"}),
    )
    (tmp_path / "text.parquet").write_text("hello")
    for arguments, words in (
        ([a, tmp_path / "absent.parquet"], "absent.parquet: there is no such file"),
        ([tmp_path, a], "dataset.parquet: there is no such file"),
        ([a, tmp_path / "text.parquet"], "text.parquet: not a dataset"),
        ([a, others], "no model is in both"),
        ([a, twice], "the second dataset has model_0 more than once"),
        ([headless, a], "has no column status"),
        ([a, memoryless, "--metric", MEMORY], f"memoryless.parquet: has no column {MEMORY}"),
        ([a, a, "--metric", "flops"], "metric flops: cannot be compared; there are latency_ms"),
        ([worded, a], "its column latency_ms is not numeric"),
        ([a, tmp_path / ("x" * 300)], "name too long"),
        ([a, a, "--threshold", "nan"], "--threshold nan"),
        ([a, a, "--out", tmp_path / "x.txt"], "ending"),
    ):
        answer = run(*arguments)
        assert answer.exit_code == 2, (words, answer.output)
        assert words in answer.output
        assert len(answer.output.splitlines()) == 1
    for option in (["--alpha", "0"], ["--threshold", "-1"], ["--alpha", "x"]):
        assert run(a, a, *option).exit_code == 2


@pytest.mark.parametrize("models", [5, 10])
@pytest.mark.parametrize("column", [LATENCY, "latency_p90_ms", MEMORY])
def test_dataset_does_not_differ_from_itself(models, column):
    chance = np.random.default_rng(models)
    table = dataset(chance, models, noise=0.1).assign(latency_p90_ms=1.0)
    table = pd.concat([table, table.iloc[[0]].assign(replicate=1, **{MEMORY: 10.5})])
    found = compared(table.assign(started_at="10:00"), table.assign(started_at="11:00"), column, threshold=0.0)
    assert found.models["ratio"].to_numpy() == pytest.approx(1.0)
    assert found.models["net_ratio"].to_numpy() == pytest.approx(1.0)
    assert (found.models["low"] < 1).all()
    assert (found.models["high"] > 1).all()
    assert found.regressions == found.improvements == []


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("models", [5, 9])
def test_swapped_datasets_give_reciprocal_ratios(seed, models):
    chance = np.random.default_rng(seed)
    first = dataset(chance, models)
    second = slowed(dataset(chance, models, shift=0.03), ["model_0"], 1 + seed / 10)
    there, back = (
        compared(*tables).models.set_index("model").sort_index() for tables in ((first, second), (second, first))
    )
    for name, opposite in (("ratio", "ratio"), ("net_ratio", "net_ratio"), ("low", "high"), ("high", "low")):
        assert (there[name] * back[opposite]).to_numpy() == pytest.approx(1.0), name
    assert there["slower_p"].to_numpy() == pytest.approx(back["faster_p"].to_numpy())
    opposite = {"slower": "faster", "faster": "slower", "same": "same"}
    assert list(there["outcome"].map(opposite)) == list(back["outcome"])


@pytest.mark.parametrize(
    ("noise", "column"),
    [({}, LATENCY), ({"noise": 0.05, "treated": 0.02}, LATENCY), ({"visits": 1}, LATENCY), ({}, MEMORY)],
)
def test_false_alarm_rate_is_nominal(noise, column):
    """Two campaigns on machines that differ: the rate's interval contains alpha, whatever the noise."""
    chance, alarms, pairs = np.random.default_rng(3), 0, 60
    for _ in range(pairs):
        first, second = (dataset(chance, shift=chance.uniform(0, 0.08), **noise) for _ in range(2))
        alarms += bool(compared(first, second, column, threshold=0.0).regressions)
    low, high = stats.binomtest(alarms, pairs).proportion_ci(0.99, method="exact")
    assert low <= 0.05 <= high, alarms


def changing_loads(pairs, models=10):
    """Pairs of campaigns of the same models, each under a load of its own."""
    chance = np.random.default_rng(5)
    for _ in range(pairs):
        same = Models.drawn(models, chance)
        first, second = (LOADS[number] for number in chance.integers(0, len(LOADS), 2))
        yield campaign(same, first, chance), campaign(same, second, chance)


def test_false_alarm_rate_is_nominal_under_changing_load():
    alarms, pairs = 0, 40
    for first, second in changing_loads(pairs):
        alarms += compared(first, second, threshold=0.0).has_regressed
    low, high = stats.binomtest(alarms, pairs).proportion_ci(0.95, method="exact")
    assert low <= 0.05 <= high, alarms


def test_a_regression_of_one_model_is_found():
    chance, found, pairs = np.random.default_rng(4), {0.05: 0, 0.1: 0, 0.2: 0}, 20
    for number in range(pairs):
        first, second = (dataset(chance, shift=chance.uniform(0, 0.08)) for _ in range(2))
        model = f"model_{number % 10}"
        for planted in found:
            found[planted] += model in compared(first, slowed(second, [model], 1 + planted), threshold=0.0).regressions
    assert found[0.1] > 0.8 * pairs
    assert found[0.2] == pairs
    assert found[0.05] < found[0.1]


def test_stated_power_is_reached(chance):
    hits, pairs = 0, 50
    for _ in range(pairs):
        first, second = dataset(chance), dataset(chance)
        size = compared(first, second, threshold=0.0).detectable
        hits += "model_4" in compared(first, slowed(second, ["model_4"], 1 + size), threshold=0.0).regressions
    assert 0.55 * pairs < hits < 0.9 * pairs


def test_slower_machine_is_not_a_regression(chance):
    first, second = dataset(chance), dataset(chance, shift=0.3)
    found = compared(first, second, threshold=0.0)
    assert found.together.ratio == pytest.approx(np.exp(0.3), rel=0.02)
    assert found.calibration == pytest.approx(np.exp(0.3), rel=0.02)
    assert found.together.outcome == "same"
    assert found.regressions == []


def test_change_of_all_models_differs_from_a_slower_machine(files, chance):
    first, second = dataset(chance), slowed(dataset(chance, shift=0.1), [f"model_{n}" for n in range(10)], 1.3)
    found = compared(first, second)
    assert found.together.outcome == "slower"
    assert found.together.low < 1.3 < found.together.high
    assert len(found.regressions) == 10
    answer = run(*files(a=first, b=second))
    assert answer.exit_code == 1
    assert "all are slower" in answer.output
    assert "regression beyond 5%: 10 of 10 models" in answer.output


def test_change_unseen_by_calibration_must_exceed_threshold(chance):
    first, second = dataset(chance), dataset(chance, shift=0.04, seen=0.0)
    assert compared(first, second).regressions == []
    assert compared(first, second, threshold=0.0).together.outcome == "slower"


@pytest.mark.parametrize("count", [1, 2, 4])
def test_few_models_are_left_undecided(files, chance, count, tmp_path):
    first = dataset(chance, count, noise=0.005)
    second = slowed(dataset(chance, count, noise=0.005, shift=-0.8), ["model_0"], 3.0)
    answer = run(*files(a=first, b=second), "--out", tmp_path / "out.csv")
    assert answer.exit_code == 0
    assert f"with {count} model" in answer.output
    assert "a slower machine and slower models cannot be separated; measure at least 5" in answer.output
    table = pd.read_csv(tmp_path / "out.csv")
    assert set(table["outcome"]) == {"undecided"}
    assert table[["net_ratio", "low", "high", "slower_p", "faster_p"]].isna().all(axis=None)
    assert table["ratio"].notna().all()
    assert run(*files(a=first, b=second), "--out", tmp_path / "page.html").exit_code == 0


def test_memory_of_few_models_needs_repetitions(files, chance):
    first, second = (dataset(chance, 2) for _ in range(2))
    second.loc[1, MEMORY] *= 1.5
    assert "measure with replicates" in run(*files(a=first, b=second), "--metric", MEMORY).output
    again = [first.assign(replicate=n, **{MEMORY: first[MEMORY] * (1 + n / 100)}) for n in (1, 2)]
    answer = run(*files(a=pd.concat([first, *again]), b=second), "--metric", MEMORY)
    assert "regression beyond 5%: 1 of 2 models, model_1" in answer.output


def test_memory_that_is_not_positive_is_excluded(files, chance):
    first, second = (dataset(chance) for _ in range(2))
    first.loc[0, MEMORY], second.loc[1, MEMORY] = 0.0, -1.0
    repeated = first.assign(replicate=1)
    answer = run(*files(a=pd.concat([first, repeated]), b=second), "--metric", MEMORY)
    assert "excluded from A: 1 without a value" in answer.output


@pytest.mark.parametrize("moved", [-0.8, 0.8])
def test_shifted_calibration_widens_the_common_change(chance, moved):
    first, second = dataset(chance), dataset(chance, shift=moved)
    for factor in (1.0, np.exp(-moved)):  # The models follow the machine, or not at all.
        found = compared(first, slowed(second, set(second["model"]), factor), threshold=0.0)
        assert found.together.outcome == "same"
        assert found.together.high / found.together.low > np.exp(0.8)
        assert found.regressions == found.improvements == []


def test_rows_are_slower_only_if_significant(chance):
    first, second = dataset(chance), dataset(chance)
    found = compared(first, slowed(second, set(second["model"]), 1.15), threshold=0.0)
    assert found.together.outcome == "slower"
    slower = found.models["outcome"] == "slower"
    assert (found.models["slower_p"][slower] <= 0.05).all()
    assert slower.any()


def test_all_visits_count_where_calm_is_rare(chance):
    first, second = dataset(chance), dataset(chance)
    rare = [[number != 1, True, True, True, True] for number in range(10)]
    assert len(compared(first.assign(visit_disturbed=rare), second).pairs.visits[0][0]) == VISITS


def test_model_without_undisturbed_visit_is_excluded(files, chance):
    first, second = dataset(chance), dataset(chance)
    second.at[2, "visit_disturbed"] = [True] * VISITS
    answer = run(*files(a=first, b=second))
    assert "excluded from B: 1 without an undisturbed visit" in answer.output
    assert "model_2" not in answer.output


def test_datasets_without_samples_are_compared_by_their_latencies(chance):
    first, second = (dataset(chance).drop(columns="wall_samples_ms") for _ in "ab")
    assert compared(first, second).regressions == []
    second[LATENCY] *= np.where(second["model"] == "model_2", 1.5, 1.0)
    assert compared(first, second).regressions == ["model_2"]


def test_disturbed_visits_do_not_count(chance):
    first, second = dataset(chance, noise=0.005), dataset(chance, noise=0.005)
    second.at[2, "wall_samples_ms"] = second.at[2, "wall_samples_ms"] * np.where(second.at[2, "visit"] == 1, 3.0, 1.0)
    second.at[2, "visit_disturbed"] = [False, True, False, False, False]
    found = compared(first, second, threshold=0.0)
    assert found.regressions == []
    ratio = found.models.set_index("model")["ratio"]["model_2"]
    assert ratio == pytest.approx(1.0, abs=0.03)


def test_memory_is_compared_with_its_repeatability(chance):
    first, second = dataset(chance), dataset(chance)
    second.loc[4, MEMORY] *= 1.2
    assert compared(first, second, MEMORY).regressions == ["model_4"]
    again = first.assign(replicate=1)
    again[MEMORY] *= chance.normal(1, 0.1, 10)
    assert compared(pd.concat([first, again]), second, MEMORY).regressions == []


def test_memory_regression_of_all_models_is_found(chance):
    first = dataset(chance)
    again = first.assign(replicate=1)
    again[MEMORY] *= chance.normal(1, 0.01, 10)
    second = dataset(chance)
    second[MEMORY] *= 1.2
    assert len(compared(pd.concat([first, again]), second, MEMORY).regressions) == 10


def test_holm_weighted():
    p_values = np.array([0.01, 0.04, 0.03, 0.005])
    assert adjusted(p_values, np.ones(4)) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjusted(np.array([0.02, 0.02]), np.array([3.0, 1.0])) == pytest.approx([0.02 * 4 / 3, 0.02 * 4 / 3])
    assert adjusted(np.array([0.9, 0.8]), np.ones(2)).max() == 1.0


def test_similar_variances_are_pooled(chance):
    dof = np.full(200, 4)
    alike = 1e-4 * chance.chisquare(4, 200) / 4
    drawn, degrees = moderated(alike, dof)
    assert np.ptp(drawn) < 0.3 * np.ptp(alike)
    assert drawn.mean() == pytest.approx(1e-4, rel=0.15)
    assert (degrees > 20).all()
    different = alike * np.exp(2 * chance.standard_normal(200))
    drawn, degrees = moderated(different, dof)
    assert np.corrcoef(np.log(drawn), np.log(different))[0, 1] > 0.95
    assert (degrees < 8).all()
    unknown, _ = moderated(np.array([1e-4, 0.0]), np.array([4, 0]))
    assert unknown == pytest.approx([1e-4, 1e-4])


def test_robust_scale_matches_normal_and_resists_outliers(chance):
    for count in (6, 9, 10, 25, 400):
        values = [scale(chance.standard_normal(count)) for _ in range(400)]
        assert np.mean(values) == pytest.approx(1.0, abs=0.06)
    assert scale(np.concatenate([chance.standard_normal(100), np.full(30, 1e6)])) < 2.5


def test_between_model_variance_is_separated_from_noise(chance):
    found = [between_models(chance.normal(0, 0.05, 100), np.full(100, 0.03**2)) for _ in range(50)]
    assert np.sqrt(np.mean(found)) == pytest.approx(0.04, rel=0.1)
    assert between_models(chance.normal(0, 0.01, 100), np.full(100, 0.03**2)) == 0.0


def test_column_that_is_not_a_metric_is_refused(chance, tmp_path):
    dataset(chance).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(UsageError, match="cannot be compared"):
        read_dataset(tmp_path / "a.parquet", "threads")


def test_calibration_differs_by_number_of_threads(chance):
    first, second = dataset(chance), dataset(chance).assign(threads=1)
    second["visit_calibration_ms"] = [0.4 * calibration for calibration in second["visit_calibration_ms"]]
    slower = slowed(second, set(second["model"]), 1.5)
    assert len(compared(first, slower).regressions) == 10
    assert np.isnan(compared(first, slower).calibration)
    assert compared(first, slower.assign(threads=2)).calibration == pytest.approx(0.4, rel=0.01)


def test_varied_factors_are_compared_set_by_set(files, chance):
    first = pd.concat([dataset(chance, 8, noise=0.005).assign(threads=threads) for threads in (1, 2)])
    second = pd.concat([dataset(chance, 8, noise=0.005).assign(threads=threads) for threads in (1, 2)])
    slower = slowed(second[second["threads"] == 2], ["model_3"], 1.3)
    answer = run(*files(a=first, b=pd.concat([second[second["threads"] == 1], slower])))
    assert answer.exit_code == 1, answer.output
    assert "models compared by latency_ms: 16 in both" in answer.output
    assert "regression beyond 5%: 1 of 16 models, model_3 · threads 2 1." in answer.output
    one = compared(first, second[second["threads"] == 1])
    assert set(one.models["threads"]) == {1}
    assert one.pairs.alone == (8, 0)


def test_facts_of_the_environment_that_differ_are_named(files, chance):
    fingerprint = {"machine": {"cpu": "a"}, "software": {"numpy": "2"}, "settings": {}, "variables": {}}
    switched = fingerprint | {"variables": {"TF_ENABLE_ONEDNN_OPTS": "0"}}
    tables = {name: dataset(chance).assign(fingerprint=name * 64) for name in "ab"}
    for name, found in (("a", fingerprint), ("b", switched)):
        tables[name].attrs["fingerprints"] = {name * 64: found}
    assert "what differs: TF_ENABLE_ONEDNN_OPTS: not set in A, 0 in B" in run(*files(**tables)).output
    tables["b"].attrs["fingerprints"] = {"b" * 64: ["not", "one"]}
    assert "what differs: fingerprint: aaaa" in run(*files(**tables)).output
