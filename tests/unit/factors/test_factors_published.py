"""The study of the published test results: the document's numbers, and its findings judged."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from perfcast.cli import main
from perfcast.studies.factors.analysis import analyse, effects_table
from perfcast.studies.factors.description import coded_columns, describe
from perfcast.studies.factors.page import factors_page
from perfcast.studies.factors.published import published_claims
from perfcast.studies.factors.roles import Asked
from perfcast.studies.factors.source import read_source
from tests.measured import FOLDER, needs

PUBLISHED = FOLDER / "performance_tests"
TABLES = [PUBLISHED / "TestInfo.csv", PUBLISHED / "TestResults.pickle"]
pytestmark = needs(PUBLISHED)

DESCRIBED = {
    "TestId": (47, 23, 13.711309, 0, 11.5, 23, 34.5, 46),
    "CPUFrequency (MHz)": (47, 1297.872340, 462.267268, 1000, 1000, 1000, 2000, 2000),
    "Threads": (47, 4.148936, 1.366982, 1, 3.5, 5, 5, 5),
    "Build": (47, 7.127660, 3.187046, 1, 4.5, 8, 10, 10),
    "Time (ms)": (47, 128.801418, 149.035930, 19, 51.5, 83.333333, 114.5, 800),
    "PeakMemory (MB)": (47, 383.234043, 125.454168, 50, 309, 450, 454.5, 460),
}
"""As the document prints them."""


@pytest.fixture(scope="module")
def found():
    return analyse(read_source(TABLES, Asked()).results, suggestions=12, keep_outliers=False)


def test_the_statistics_are_the_documents(found):
    table = describe(found.results)
    for name, numbers in DESCRIBED.items():
        assert table[name].round(6).tolist() == pytest.approx(list(numbers), abs=1e-6)


def test_performance_is_the_documents(found):
    row = found.results.rows.set_index("TestId").loc["46"]
    assert row["Performance"] == pytest.approx(1e6 / (86 * 20.0))


def test_columns_have_the_roles_that_the_document_gives_them(found):
    roles = found.results.roles
    assert (roles.id, roles.network, roles.build) == ("TestId", "MLNetwork", "Build")
    assert [metric.label for metric in roles.metrics] == ["Time (ms)", "PeakMemory (MB)", "Performance (1/(GB·s))"]
    assert roles.factors == ("Device", "CPUFrequency (MHz)", "Threads", "MLNetwork", "Build", "Optimised")


def test_correlations_are_those_of_the_heatmap(found):
    table = coded_columns(found.results)[0].corr()
    assert table.loc["Device", "Time (ms)"] == pytest.approx(0.67, abs=0.005)
    assert table.loc["Threads", "PeakMemory (MB)"] == pytest.approx(0.66, abs=0.005)


def test_optimisation_is_confounded_with_the_build(found):
    alias = found.alias_of("Optimised")
    assert alias.by == ("Build", "MLNetwork")
    assert "within MobileNet Optimised follows Build: N for 1 to 5, Y for 6 to 10" in alias.words


def test_changes_over_the_builds_are_found(found):
    changes = {
        (change.metric, change.network, change.builds[0]): change for each in found.metrics for change in each.changes
    }
    assert set(changes) == {("Time (ms)", "MobileNet", 6.0), ("PeakMemory (MB)", "MobileNet", 10.0)}
    assert changes["Time (ms)", "MobileNet", 6.0].along == "Optimised from N to Y"


def test_effects_are_those_of_the_machine_and_not_of_the_mixture(found):
    table = effects_table(found)
    time = table[table["metric"] == "Time (ms)"].set_index("factor")
    assert time.loc["Threads", "ratio"] == pytest.approx(1 / 5, rel=0.03)
    assert time.loc["CPUFrequency (MHz)", "ratio"] == pytest.approx(1 / 2, rel=0.03)
    assert time.loc["Device", "ratio"] == pytest.approx(2, rel=0.02)
    assert time.loc["Device", "unadjusted_ratio"] > 4


def test_the_test_that_contradicts_all_others_is_found(found):
    (time,) = [each for each in found.metrics if each.metric.column == "Time (ms)"]
    first = time.model.contradicting.iloc[0]
    assert (first["Threads"], first["CPUFrequency (MHz)"]) == (4, 2000)
    assert time.model.off_by[0] == pytest.approx(4.7, abs=0.1)


def test_each_printed_finding_is_judged(found):
    claims = {claim.statement: claim for claim in published_claims(found)}
    device = claims["Device_0 uses more time"]
    assert device.verdict == "contradicted"
    assert "94.5 ms on Device_0, 416.7 ms on Device_1" in device.evidence
    for statement in ("47 tests", "1 to 5 threads", "Time from 19 to 800 ms", "More threads use more memory"):
        assert claims[statement].verdict == "confirmed"
    for statement in ("Optimising impacts performance a lot", "MobileNet: optimised is more efficient"):
        assert claims[statement].verdict == "confounded"
    assert claims["The correlation of build and optimisation is low"].verdict == "contradicted"
    assert claims["AlexNet should be optimised"].verdict == "open"


def test_what_was_never_tested_is_suggested(found):
    assert (found.coverage.tested, found.coverage.possible) == (47, 800)
    levels = [gap.levels for gap in found.coverage.gaps]
    assert len(levels) == 12
    assert any(each["MLNetwork"] == "AlexNet" and each["Optimised"] == "Y" for each in levels)
    assert any(each["MLNetwork"] == "MobileNet" and each["Device"] == "Device_1" for each in levels)
    assert found.coverage.uncertainty_after < found.coverage.uncertainty_before / 2


def test_every_axis_has_a_title_and_every_figure_a_description(found):
    page = factors_page(found, published_claims(found))
    assert [section.key for section in page.sections][:3] == ["answer", "data", "claims"]
    for figure in page.figures:
        assert figure.missing or figure.alt
        if not figure.missing and figure.key.startswith(("builds", "performance", "memory", "front")):
            assert figure.layout["yaxis"]["title"]["text"]
            assert "(" in figure.layout["yaxis"]["title"]["text"]


def test_the_command_writes_page_table_and_campaign(tmp_path):
    arguments = ["study", "factors", *map(str, TABLES), "--campaign", str(tmp_path / "next")]
    for name in ("page.html", "page.md", "effects.csv"):
        arguments += ["--out", str(tmp_path / name)]
    answer = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    assert "contradicted: Device_0 uses more time" in answer.output
    assert "47 of 800 combinations" in answer.output
    written = {path.name for path in Path(tmp_path).rglob("*") if path.is_file()}
    assert written == {"page.html", "page.md", "effects.csv", "combinations.csv"}
    assert (tmp_path / "effects.csv").read_text().startswith("metric,factor,from,to,network,ratio,")
