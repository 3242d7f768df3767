"""`perfcast study training`: what it finds in convolutions whose law is known, and in profiles of operations."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from perfcast.cli import main
from perfcast.errors import UsageError
from perfcast.studies.registry import find_study
from perfcast.studies.training.answers import Rules, answers_of
from perfcast.studies.training.cells import read_cells
from perfcast.studies.training.convolutions import FEATURES, convolution_of
from perfcast.studies.training.memory import claims_of, memory_section, read_traces
from perfcast.studies.training.operations import read_breakdowns
from perfcast.studies.training.splits import read_splits
from tests.unit.simulated_convolutions import Law, dataset, holds, memory, profile, split

PENALTY, STACKED, BATCH = range(3)


def answers(tmp_path, table, rules=Rules()):  # noqa: B008
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.parquet"
    table.to_parquet(path)
    return answers_of(read_cells([path])[0], rules)


def run(*arguments):
    answer = CliRunner().invoke(main, ["study", "training", *map(str, arguments)])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer


def test_a_convolution_is_recognised_by_its_features():
    row = dataset().iloc[-1].to_dict()
    found = convolution_of(row)
    assert str(found) == "5×5 then 3×3"
    assert str(found.setting) == "32 channels in, 32 out, 64×64 pixels"
    assert found.macs(trained=False) == row["macs"]
    one = convolution_of(dataset().iloc[6].to_dict())
    assert one.macs(trained=True) == 2 * one.macs(trained=False)
    assert found.macs(trained=True) == (2 * 25 + 3 * 9) * 64 * 64 * 32 * 32
    assert one.moved_bytes(4, trained=False) == 4 * (4 * 64 * 64 * 64 + 25 * 32 * 32)


@pytest.mark.parametrize(
    "other",
    [{"fc_layers": 1}, {"bn_layers": 1}, {"conv_layers": 3}, {"conv_macs": 1}, {"filters_min": 16}, {"macs": 0}],
)
def test_other_networks_are_none(other):
    assert convolution_of(dataset().iloc[3].to_dict() | other) is None


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -1, 0, 0.5, "<b>"])
def test_features_that_no_network_has_are_no_convolution(feature, value, tmp_path):
    table = dataset(batches=(4,), workloads=("inference",), repeated=False)
    spoilt = table.assign(**{feature: table[feature].astype(object)})
    spoilt.loc[0, feature] = value
    spoilt.astype({feature: str} if isinstance(value, str) else {feature: float}).to_parquet(tmp_path / "x.parquet")
    cells, _ = read_cells([tmp_path / "x.parquet"])
    assert len(cells) >= len(table) - 1


def test_a_latency_that_none_can_be_is_named(tmp_path):
    table = dataset()
    table.loc[3, "latency_ms"] = 0.0
    table.to_parquet(tmp_path / "x.parquet")
    with pytest.raises(UsageError, match="latency_ms must be a positive number"):
        read_cells([tmp_path / "x.parquet"])


def test_the_planted_change_and_all_answers_are_found(tmp_path):
    (found,) = answers(tmp_path, dataset(Law(turn=5.0)))
    for growth in found.growths:
        (only,) = growth.breaks
        assert holds(only, 5.0)
        assert only.before == pytest.approx(1.2, abs=0.1)
        assert only.after == pytest.approx(2.8, abs=0.15)
    assert [claim.verdict for claim in found.claims] == ["confirmed"] * 3
    assert [each.ratio.value for each in found.stacked] == pytest.approx([0.8] * 4, rel=0.05)
    assert [each.ratio.value for each in found.backward] == pytest.approx([2.0] * 2, rel=0.02)


def test_what_is_not_so_contradicts_the_claims(tmp_path):
    (found,) = answers(tmp_path, dataset(Law(before=2, beyond=2, stacked=1.2, batch=0.8)))
    assert [claim.verdict for claim in found.claims] == ["contradicted"] * 3
    assert not any(growth.breaks for growth in found.growths)
    assert all(growth.detectable < 0.2 for growth in found.growths)


def test_noise_leaves_claims_open(tmp_path):
    (found,) = answers(tmp_path, dataset(Law(noise=0.4, stacked=0.95, before=2, beyond=2)))
    assert found.claims[STACKED].verdict == "open"
    assert found.claims[PENALTY].verdict == "open"


def test_without_what_a_claim_compares_it_is_open(tmp_path):
    table = dataset(batches=(4,))
    (found,) = answers(tmp_path, table[~table["kernel_size_max"].isin([7])])
    assert [claim.verdict for claim in found.claims] == ["open"] * 3
    assert found.stacked == found.penalties == found.batches == ()


def test_ratios_without_repetitions_have_no_intervals(tmp_path):
    table = dataset(repeated=False).drop(columns=["latency_low_ms", "latency_high_ms"])
    (found,) = answers(tmp_path, table)
    assert all(np.isnan(each.ratio.low) for each in found.stacked)
    assert [claim.verdict for claim in found.claims] == ["open"] * 3


def test_repetitions_that_differ_widen_intervals(tmp_path):
    narrow = {
        "latency_low_ms": lambda t: t["latency_ms"] * 0.9999,
        "latency_high_ms": lambda t: t["latency_ms"] * 1.0001,
    }
    (found,) = answers(tmp_path, dataset(Law(noise=0.1)).assign(**narrow))
    assert all(each.ratio.high / each.ratio.low > 1.2 for each in found.stacked)


def test_the_place_and_its_interval_are_right_in_most_simulations(tmp_path):
    right = []
    for seed in range(10):
        (found,) = answers(tmp_path, dataset(Law(turn=6.0, noise=0.02), np.random.default_rng(seed), batches=(4,)))
        right += [any(holds(each, 6.0) for each in growth.breaks) for growth in found.growths]
    assert np.mean(right) >= 0.9


@pytest.mark.parametrize("name", ["profile.csv", "profile.parquet"])
def test_a_profile_adds_up_to_its_step(tmp_path, name):
    path = tmp_path / name
    profile().to_csv(path, index=False) if name.endswith("csv") else profile().to_parquet(path)
    (found,) = read_breakdowns(path)
    assert found.label == "net_224, training_step · sgd, batch 8"
    assert (found.summed_ms, found.parallel_ms, found.idle_ms) == (8.0, 1.0, 3.0)
    assert list(found.by_operation["name"]) == ["Conv2D", "<b>Odd", "FusedBatchNormV3"]
    assert list(found.by_operation["share"]) == [0.75, 0.125, 0.125]
    assert list(found.by_layer["name"]) == ["conv1", "conv2", "", "bn1"]


def test_a_profile_with_impossible_numbers_is_named(tmp_path):
    path = tmp_path / "profile.csv"
    for changed, words in (({"busy_ms": 11.0}, "row 1: busy_ms is more"), ({"time_ms": -1.0}, "not a profile")):
        profile(**changed).to_csv(path, index=False)
        with pytest.raises(UsageError, match=words):
            read_breakdowns(path)


def test_memory_over_time_has_peaks_by_phase_and_tests_the_claim(tmp_path):
    path = tmp_path / "memory.csv"
    other = memory(model="resnet18_224").assign(resident_mb=[0.0, 60.0, 90.0, 80.0, 95.0])
    pd.concat([memory(), other]).to_csv(path, index=False)
    small, large = read_traces(path)
    assert [small.peak_mb(phase) for phase in ("load", "first step", "steps")] == [50.0, 180.0, 150.0]
    (claim,) = claims_of((small, large))
    assert claim.verdict == "confirmed"
    assert "1.89 times" in claim.evidence
    (figure,) = memory_section((small, large)).figures
    assert [trace["marker"]["size"] for trace in figure.traces] == [[0, 0, 10, 0, 0]] * 2
    assert claims_of((small,)) == ()


def test_the_split_of_the_peak_stands_beside_the_measured_peak(tmp_path):
    memory().to_csv(tmp_path / "memory.csv", index=False)
    pd.concat([split(), split(batch=16)]).to_csv(tmp_path / "split.csv", index=False)
    study = find_study("training")
    page = study.run([tmp_path / "memory.csv", tmp_path / "split.csv"], study.chosen({})).page
    (section,) = [each for each in page.sections if each.key == "memory-split"]
    assert section.sentences[0] == "mobilenet_224, inference, batch 8: the peak is in dense, backward."
    kinds, layers, _ = section.tables
    assert [float(cell.text) for cell in kinds.rows[0].cells[2:]] == [20, 0, 0, 70, 5, 100, 180]
    assert kinds.rows[1].cells[-1].text == "not measured"
    held = {row.cells[0].text: [float(cell.text) for cell in row.cells[1:]] for row in layers.rows}
    assert held == {"conv": [20, 0, 0, 70, 0, 90], "dense": [0, 0, 0, 0, 5, 5]}


@pytest.mark.parametrize(
    ("changed", "words"), [({"size_mb": "much"}, "not a split of memory"), ({"kind": "<b>"}, "kind <b> is unknown")]
)
def test_a_split_that_is_none_is_named(tmp_path, changed, words):
    split(**changed).to_csv(tmp_path / "split.csv", index=False)
    with pytest.raises(UsageError, match=words):
        read_splits(tmp_path / "split.csv")


def test_memory_without_numbers_is_named(tmp_path):
    path = tmp_path / "memory.csv"
    memory(resident_mb="much").to_csv(path, index=False)
    with pytest.raises(UsageError, match="no trace of memory"):
        read_traces(path)


def test_page_summary_and_table_are_written(tmp_path):
    dataset().to_parquet(tmp_path / "dataset.parquet")
    profile().to_csv(tmp_path / "profile.csv", index=False)
    files = [tmp_path / name for name in ("page.html", "page.md", "table.csv")]
    answer = run(tmp_path, tmp_path / "profile.csv", *(part for file in files for part in ("--out", file)))
    assert answer.exit_code == 0, answer.output
    assert "confirmed: 5×5 followed by 3×3 takes less time than 7×7" in answer.output
    assert "the most expensive is Conv2D, 75.0" in answer.output
    html = files[0].read_text()
    assert "<b>Odd" not in html
    for title in ("The answers", "The document&#39;s claims", "Operations"):
        assert f">{title}</h2>" in html
    assert "Growth with the kernel" in files[1].read_text()
    assert len(pd.read_csv(files[2])) == 48


@pytest.mark.parametrize("kind", ["profile.csv", "dataset.parquet"])
def test_what_is_absent_is_said_in_a_sentence(tmp_path, kind):
    path = tmp_path / kind
    profile().to_csv(path, index=False) if kind == "profile.csv" else dataset().to_parquet(path)
    answer = run(path, "--out", tmp_path / "page.md")
    assert answer.exit_code == 0, answer.output
    text = (tmp_path / "page.md").read_text()
    assert "No input holds memory over time" in text
    absent = "No input holds measurements of single convolutions" if kind == "profile.csv" else "No input is a profile"
    assert absent in text


def test_every_axis_has_a_unit_and_every_figure_words(tmp_path):
    for target in ("a", "b"):
        (tmp_path / target).mkdir()
        dataset(target="same").to_parquet(tmp_path / target / "dataset.parquet")
    profile().to_csv(tmp_path / "profile.csv", index=False)
    memory().to_csv(tmp_path / "memory.csv", index=False)
    study = find_study("training")
    page = study.run([tmp_path / name for name in ("a", "b", "profile.csv", "memory.csv")], study.chosen({})).page
    assert len({figure.key for figure in page.figures}) == len(page.figures) == 4 + 2 * 3 + 2
    for figure in page.figures:
        assert len(figure.alt) > 30
        assert all("title" in figure.layout[f"{letter}axis"] for letter in "xy")
    assert [trace["name"] for trace in page.figures[0].traces] == ["same", "same (2)"]


def test_a_file_that_is_nothing_of_this_exits_with_2(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    answer = run(path)
    assert answer.exit_code == 2
    assert str(path) in answer.output
