"""The study on the published tables of the document on scaling: they are not part of the project."""

import re
from functools import cache

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from perfcast.cli import main
from perfcast.studies.scaling.analysis import analyse
from perfcast.studies.scaling.claims import Rules
from perfcast.studies.scaling.columns import Choices
from perfcast.studies.scaling.consistency import divisor_of, outliers_of
from perfcast.studies.scaling.figures import box_figure
from perfcast.studies.scaling.observations import observe
from tests.measured import FOLDER, needs

PUBLISHED = FOLDER / "complexity_scaling"
NAMES = ("mnist-acer", "mnist-macbook", "text-acer", "text-macbook")

pytestmark = needs(PUBLISHED)


def path_of(name):
    return PUBLISHED / f"{name}.csv"


@cache
def observed(name):
    (found,) = observe(path_of(name), Choices())
    return found


@cache
def analysed(name):
    return analyse(observed(name), Rules())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_correlations_are_those_of_pandas(name, method):
    expected = pd.read_csv(path_of(name)).corr(method=method)
    found = analysed(name).correlations[method]
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("column", ["Layers", "BatchSize", "ConvSize"])
def test_box_plots_have_the_quartiles_and_points_of_the_table(name, column):
    table = pd.read_csv(path_of(name))
    observations = observed(name)
    factor = next(each for each in observations.factors if each.column == column)
    box = box_figure(observations, factor, "box").traces[0]
    groups = table.groupby(column)["MeanTime"]
    for key, share in (("q1", 0.25), ("median", 0.5), ("q3", 0.75)):
        assert np.allclose(box[key], groups.quantile(share), rtol=1e-4)
    for points, (_, times) in zip(box["y"], groups, strict=True):
        assert np.allclose(sorted(points), sorted(times), rtol=1e-4)


def test_totals_are_divided_by_ten_but_in_one_table_by_five():
    assert {name: divisor_of(observed(name)).value for name in NAMES} == {
        "mnist-acer": 10,
        "mnist-macbook": 10,
        "text-acer": 10,
        "text-macbook": 5,
    }


def test_two_combinations_are_far_off_the_others():
    assert [outliers_of(observed(name)) for name in NAMES[:3]] == [(), (), ()]
    found = outliers_of(observed("text-macbook"))
    assert [each.values for each in found] == [(6, 1, 5), (6, 1, 8)]
    assert [round(each.ratio, 2) for each in found] == [7.69, 5.77]


@pytest.mark.parametrize("name", NAMES)
def test_scaling_with_layers_changes_between_6_and_8(name):
    layers, batch, _ = analysed(name).thresholds
    (found,) = layers.breaks
    assert 6 <= found.low <= found.level <= found.high <= 8
    assert found.after < found.before
    assert not batch.breaks


def test_every_claim_has_a_verdict_with_its_number_and_test():
    for name in NAMES:
        claims = analysed(name).claims
        assert len(claims) == 8
        for claim in claims:
            assert claim.verdict in ("confirmed", "contradicted", "open")
            assert re.search(r"p (=|<) \d", claim.evidence), claim.evidence
            assert "test" in claim.evidence or "bootstrap" in claim.evidence or "trend" in claim.evidence


def verdict(name, words):
    return next(claim.verdict for claim in analysed(name).claims if words in claim.statement)


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        ("mnist-macbook", "logarithmically", "confirmed"),
        ("text-acer", "logarithmically", "contradicted"),
        ("mnist-acer", "variance of time grows with layers", "confirmed"),
        ("mnist-macbook", "variance of time grows with layers", "confirmed"),
        ("text-acer", "variance of time grows with filter size", "confirmed"),
        ("mnist-acer", "driven principally by layers", "confirmed"),
        ("text-acer", "correlates equally", "contradicted"),
        ("text-macbook", "correlates equally", "open"),
        ("mnist-acer", "Batch size has no influence", "contradicted"),
    ],
)
def test_verdicts(name, words, expected):
    assert verdict(name, words) == expected


def test_all_tables_make_one_page(tmp_path):
    files = [str(path_of(name)) for name in NAMES]
    page = tmp_path / "scaling.html"
    answer = CliRunner().invoke(main, ["study", "scaling", *files, "--out", str(page)])
    assert answer.exit_code == 0, answer.output
    assert "text-macbook: MeanTime is TotalTime / 5 in all 48 rows, where the document says 10." in answer.output
    assert "4 data sets: Scaling with layers changes in 4 of 4 data sets" in answer.output
    text = page.read_text()
    assert all(f">{name}</h2>" in text for name in NAMES)
