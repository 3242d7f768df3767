"""The page of the study `scaling` in a browser, of one data set and of several."""

import numpy as np
import pytest
from browser import check_page, find_chromium

from perfcast.pages import write_page
from perfcast.studies.scaling.study import STUDY
from tests.unit.simulated_scaling import DOCUMENT, combinations, power_law, with_bend

in_browser = pytest.mark.skipif(find_chromium() is None, reason="needs chromium or google-chrome on the PATH")


def table_of(chance):
    table = combinations(DOCUMENT).astype(int)
    logs = with_bend(power_law(table), table["Layers"], 6, -1.0) + 0.02 * chance.standard_normal(len(table))
    return table.assign(TotalTime=np.exp(logs), MeanTime=np.exp(logs) / 10)


@in_browser
@pytest.mark.parametrize("sets", [1, 3])
def test_the_page_is_drawn_and_fits(sets, tmp_path):
    chance = np.random.default_rng(0)
    paths = [tmp_path / f"<b>{number}.csv" for number in range(sets)]
    for path in paths:
        table_of(chance).to_csv(path, index=False)
    write_page(tmp_path / "page.html", STUDY.run(paths, STUDY.chosen({})).page)
    check = check_page(tmp_path / "page.html", screenshots=tmp_path)
    assert check.faults() == []
    assert [width.plots for width in check.widths] == [8 * sets, 8 * sets]
