"""The page of `perfcast study scaling`, and its command."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from perfcast.cli import main
from tests.unit.simulated_scaling import DOCUMENT, combinations, power_law


@pytest.fixture
def table(tmp_path):
    made = combinations(DOCUMENT).astype(int)
    total = np.exp(power_law(made)) * (1 + 0.02 * np.sin(np.arange(48)))
    path = tmp_path / "own.csv"
    made.assign(TotalTime=total, MeanTime=total / 10).to_csv(path, index=False)
    return path


def run(*arguments):
    answer = CliRunner().invoke(main, ["study", "scaling", *map(str, arguments)])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer


def test_page_summary_and_table_are_written(tmp_path, table):
    files = [tmp_path / name for name in ("page.html", "page.md", "page.csv")]
    answer = run(table, *(part for file in files for part in ("--out", file)))
    assert answer.exit_code == 0, answer.output
    html, markdown = files[0].read_text(), files[1].read_text()
    for title in ("The answer", "The document&#39;s claims", "What the data are worth", "own", "How it was found"):
        assert f">{title}</h2>" in html
    assert "Claims, and what this data says of them" in markdown
    numbers = pd.read_csv(files[2])
    assert list(numbers["factor"]) == ["Layers", "BatchSize", "ConvSize"]
    assert numbers.loc[0, "exponent"] == pytest.approx(1.5, abs=0.1)


def test_every_axis_has_a_unit_and_every_figure_words(table):
    from perfcast.studies.registry import find_study

    study = find_study("scaling")
    page = study.run([table], study.chosen({})).page
    assert len(page.figures) == 8
    assert len({figure.key for figure in page.figures}) == 8
    for figure in page.figures:
        assert len(figure.alt) > 30
        for letter in "xy":
            title = figure.layout[f"{letter}axis"]["title"]["text"]
            assert title in ("Layers", "Layers (logarithmic)", "Column of the table") or ", " in title


def test_a_bad_table_leaves_the_page_of_the_others(tmp_path, table):
    bad = tmp_path / "bad.csv"
    bad.write_text("a,b\n1,x\n")
    page = tmp_path / "page.html"
    answer = run(bad, table, "--out", page)
    assert answer.exit_code == 0
    assert f"warning: {bad}: has no column of times among a, b; name one with --time COLUMN" in answer.output
    assert "has no column of times among a, b" in page.read_text()


def test_only_bad_tables_exit_with_2(tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("a,b\n1,x\n")
    answer = run(bad, tmp_path / "none.csv")
    assert answer.exit_code == 2
    assert str(bad) in answer.output


def test_names_cannot_become_markup(tmp_path):
    path = tmp_path / "x.csv"
    random = np.random.default_rng(0)
    rows = combinations({"<b>size": (1, 2, 4, 8), "kind": (1, 2, 3)})
    rows.assign(time_ms=random.uniform(1, 2, 12), group="<script>alert(1)</script>").to_csv(path, index=False)
    page = tmp_path / "page.html"
    answer = run(path, "--out", page, "--by", "group")
    assert answer.exit_code == 0, answer.output
    text = page.read_text()
    assert "<script>alert" not in text
    assert "<b>size" not in text


def test_one_factor_alone_makes_a_page(tmp_path):
    path = tmp_path / "x.csv"
    pd.DataFrame({"size": [1, 2, 4, 8, 16, 32], "time_ms": [1, 2, 4.1, 8, 40, 200]}).to_csv(path, index=False)
    page = tmp_path / "page.html"
    answer = run(path, "--out", page)
    assert answer.exit_code == 0, answer.output
    assert "size^" in answer.output
    assert "<h2" in page.read_text()


def test_continuous_factors_are_divided_into_ranges(tmp_path):
    random = np.random.default_rng(0)
    size, width = random.uniform(1, 100, (2, 500))
    path = tmp_path / "x.parquet"
    pd.DataFrame({"size": size, "width": width, "time_us": size * np.sqrt(width)}).to_parquet(path)
    page = tmp_path / "page.html"
    answer = run(path, "--out", page)
    assert answer.exit_code == 0, answer.output
    assert "size^1.00" in answer.output
    assert "width^0.50" in answer.output
    assert ", ranges" in page.read_text()
