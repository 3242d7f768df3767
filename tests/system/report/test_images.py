"""Charts and images, drawn in a browser."""

import numpy as np
import pandas as pd
import pytest
from browser import check_page, find_chromium
from click.testing import CliRunner

from perfcast.cli import main
from perfcast.pages import Figure, Page, Section, write_page
from perfcast.pages.charts import Frame, box_with_points, heatmap
from perfcast.pages.images import write_images
from perfcast.pages.scatter_matrix import scatter_matrix
from perfcast.studies import registry

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="needs chromium or google-chrome on the PATH")

COLUMNS = {"layers": "Layers", "size": "Filter size, px", "time": "Time, ms", "memory": "Memory, MB"}
# Text of each cell, as wide as it is drawn, against the width of the cell.
CELLS = """(() => {
  const plot = document.getElementById('correlations'), cell = plot.querySelector('.heatmap-label').getBoundingClientRect();
  const texts = [...plot.querySelectorAll('.heatmap-label text')].map((text) => text.getBoundingClientRect());
  const size = Math.min(...[...plot.querySelectorAll('.heatmap-label text')].map((text) => parseFloat(getComputedStyle(text).fontSize)));
  return [texts.length, size, Math.max(...texts.map((text) => text.width))];
})()"""  # noqa: E501


def figures():
    chance = np.random.default_rng(0)
    layers = chance.choice([4, 6, 8, 10], 200)
    time = np.exp(0.1 * layers + 0.2 * chance.standard_normal(200))
    table = pd.DataFrame(
        {"layers": layers, "time": time, "memory": time * 3, "network": chance.choice(["a", "<b>"], 200)}
    )
    table["size"] = chance.choice([3, 5, 8], 200)
    correlations = table[list(COLUMNS)].corr().rename(index=COLUMNS, columns=COLUMNS)
    return (
        heatmap(Frame("correlations", "Correlations"), correlations, diverging=True, reach=1),
        box_with_points(
            Frame("by layers/..", "Boxes", "Layers", "Time, ms", log="y"), table, "time", "layers", "network"
        ),
        scatter_matrix(Frame("pairs", "Pairs"), table, COLUMNS, "network"),
        Figure("none", "None", "None", missing="No data."),
    )


def test_charts_are_drawn_and_fit_at_any_width(tmp_path):
    page = Page("Charts", sections=(Section("charts", "Charts", figures=figures()),))
    write_page(tmp_path / "page.html", page)
    check = check_page(tmp_path / "page.html", scripts=(CELLS,))
    assert check.faults() == []
    assert [width.plots for width in check.widths] == [3, 3]
    count, size, _ = check.answers[0]
    assert count == 16
    assert size >= 9


def test_images_are_the_same_each_time_and_named_safely(tmp_path):
    images = [write_images(tmp_path / name, figures()) for name in ("one", "two")]
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == [f"{name}.{kind}" for name in ("by-layers", "correlations", "pairs") for kind in ("png", "svg")]
    assert images[0]["by layers/.."] == tmp_path / "one/by-layers.png"
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file
    svg = (tmp_path / "one/by-layers.svg").read_text()
    assert "Time, ms" in svg
    assert "&#60;b&#62;" in svg
    assert "<script" not in svg
    assert (tmp_path / "one/pairs.png").read_bytes().startswith(b"\x89PNG")


def test_a_summary_links_the_images_of_its_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "STUDIES", (*registry.STUDIES, "tests.toy_study"))
    pd.DataFrame({"model": ["a", "b"]}).to_parquet(tmp_path / "dataset.parquet")
    out = ["--out", str(tmp_path / "x.md"), "--figures", str(tmp_path / "figures")]
    answer = CliRunner().invoke(main, ["study", "toy_study", str(tmp_path), *out])
    assert answer.exit_code == 0, answer.output
    assert "![Bars, one per dataset.](figures/counts.png)" in (tmp_path / "x.md").read_text()
    assert (tmp_path / "figures/counts.svg").exists()
