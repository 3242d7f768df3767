"""The page of the study `training` in a browser: convolutions of two targets, profiles and memory."""

import pytest
from browser import check_page, find_chromium

from perfcast.pages import write_page
from perfcast.studies.training.study import STUDY
from tests.unit.simulated_convolutions import Law, dataset, memory, profile


@pytest.mark.skipif(find_chromium() is None, reason="needs chromium or google-chrome on the PATH")
def test_the_page_is_drawn_and_fits(tmp_path):
    laws = {"<b>board": Law(), "local": Law(turn=3.0, batch=0.8)}
    paths = [tmp_path / f"{number}.parquet" for number in range(len(laws))]
    for path, (target, law) in zip(paths, laws.items(), strict=True):
        dataset(law, target=target).to_parquet(path)
    for number, model in enumerate(("<i>net_224", "a_network_with_a_long_name_and_many_words_224")):
        paths.append(tmp_path / f"profile{number}.csv")
        profile(model=model).to_csv(paths[-1], index=False)
    paths.append(tmp_path / "memory.csv")
    memory().to_csv(paths[-1], index=False)
    write_page(tmp_path / "page.html", STUDY.run(paths, STUDY.chosen({})).page)
    check = check_page(tmp_path / "page.html", screenshots=tmp_path)
    assert check.faults() == []
    assert [width.plots for width in check.widths] == [4 + 2 * 3 + 2] * 2
