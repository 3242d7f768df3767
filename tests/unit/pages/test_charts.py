"""Charts that studies share: what they show, and that bad input costs a figure, not a page."""

import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from perfcast.errors import DataError
from perfcast.pages import Page, Section, section_or_reason
from perfcast.pages.charts import MAX_POINTS, Frame, box_with_points, heatmap
from perfcast.pages.figures import COLOURS, SYMBOLS, category_styles
from perfcast.pages.scatter_matrix import scatter_matrix

FRAME = Frame("key", "Title", "Layers", "Time, ms", "Look.")


@pytest.fixture
def table():
    chance = np.random.default_rng(0)
    layers = chance.choice([4, 6, 8, 10], 300)
    time = np.exp(0.1 * layers + 0.2 * chance.standard_normal(300))
    return pd.DataFrame(
        {"layers": layers, "time": time, "memory": time * 3, "network": chance.choice(["a", "<b>"], 300)}
    )


def drawn(figure):
    assert not figure.missing
    go.Figure(data=list(figure.traces), layout=figure.layout)
    json.dumps({"data": figure.traces, "layout": figure.layout}, allow_nan=False)
    return figure


def test_a_heatmap_has_the_number_in_each_cell():
    matrix = pd.DataFrame([[1.0, -0.5], [-0.5, np.nan]], index=["a", "<b>"], columns=["a", "a"])
    (cells,) = drawn(heatmap(FRAME, matrix, diverging=True, reach=1)).traces
    assert cells["z"] == [[1.0, -0.5], [-0.5, None]]
    assert cells["text"] == [["1.00", "-0.50"], ["-0.50", ""]]
    assert cells["y"] == ["a", "&lt;b&gt;"]
    assert len(set(cells["x"])) == 2
    assert (cells["zmin"], cells["zmax"]) == (-1, 1)


def test_boxes_are_of_all_values_and_in_the_order_of_the_levels(table):
    (boxes,) = drawn(box_with_points(FRAME, table, "time", "layers")).traces
    assert boxes["x"] == ["4", "6", "8", "10"]
    assert boxes["median"] == pytest.approx(list(table.groupby("layers")["time"].median()), rel=1e-3)
    assert sum(map(len, boxes["y"])) == len(table)


def test_groups_of_boxes_differ_in_colour_and_symbol(table):
    figure = drawn(box_with_points(FRAME, table, "time", "layers", "network"))
    *boxes, first, second = figure.traces
    assert len(boxes) == 2
    assert first["marker"]["color"] != second["marker"]["color"]
    assert first["marker"]["symbol"] != second["marker"]["symbol"]


def test_many_points_are_thinned_and_the_caption_says_so(table):
    many = pd.concat([table] * 20, ignore_index=True)
    figure = drawn(box_with_points(FRAME, many, "time", "layers"))
    assert sum(map(len, figure.traces[0]["y"])) <= MAX_POINTS
    assert figure.traces[0]["median"] == drawn(box_with_points(FRAME, table, "time", "layers")).traces[0]["median"]
    assert figure.caption == "Look. Shown are 1,000 of 6,000 points."
    matrix = drawn(scatter_matrix(FRAME, many, {"layers": "Layers", "time": "Time, ms"}))
    assert len(matrix.traces[0]["x"]) == MAX_POINTS
    assert matrix.caption.endswith("Shown are 1,000 of 6,000 points.")


def test_a_scatter_matrix_shows_each_pair_once_and_each_density(table):
    columns = {"layers": "Layers", "time": "Time, ms", "memory": "Memory, MB"}
    figure = drawn(scatter_matrix(FRAME, table, columns, "network"))
    points = [trace for trace in figure.traces if trace["mode"] == "markers"]
    assert len(points) == 3 * 2
    assert sum(trace["showlegend"] for trace in points) == 2
    assert [note["text"] for note in figure.layout["annotations"]][-1] == "1.00"
    shown = {name: axis["title"]["text"] for name, axis in figure.layout.items() if "axis" in name and "title" in axis}
    assert shown["xaxis"] == shown["yaxis"] == "Layers"
    assert shown["yaxis3"] == "Memory, MB"


@pytest.mark.parametrize("bad", [[{"a": 1}] * 3, [None] * 3, ["x"] * 3, [[1]] * 3], ids=str)
def test_values_that_are_no_numbers_cost_the_figure_only(bad):
    table = pd.DataFrame({"bad": bad, "layers": [4, 6, 8], "more": [1.0, 2.0, 3.0]})
    assert heatmap(FRAME, table[["bad"]]).missing
    assert box_with_points(FRAME, table, "bad", "layers").missing
    assert scatter_matrix(FRAME, table, {"bad": "Bad", "layers": "Layers"}).missing
    drawn(scatter_matrix(FRAME, table, {"bad": "Bad", "layers": "Layers", "more": "More"}))


def test_one_value_or_level_is_drawn():
    table = pd.DataFrame({"layers": [4], "time": [1.0]})
    drawn(box_with_points(FRAME, table, "time", "layers"))
    drawn(scatter_matrix(FRAME, table, {"layers": "Layers", "time": "Time, ms"}))
    drawn(heatmap(FRAME, table))


def test_impossible_section_gives_its_reason():
    def fails():
        raise DataError("all rows have one level of batch")

    good = section_or_reason("good", "Good", lambda: Section("good", "Good", ("Fine.",)))
    page = Page("x", sections=(section_or_reason("bad", "Bad", fails), good)).html()
    assert "This section could not be computed: all rows have one level of batch." in page
    assert "<p>Fine.</p>" in page


def test_the_first_categories_differ_in_colour_and_in_symbol():
    styles = list(category_styles([f"{number:02}" for number in range(30)]).values())
    for key, count in (("color", len(COLOURS)), ("symbol", len(SYMBOLS))):
        assert len({style[key] for style in styles[:count]}) == count
