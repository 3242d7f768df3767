"""Power and energy in the report: only where there are some, else the reason once."""

import numpy as np
import pandas as pd
import pytest

from perfcast.studies.prediction.energy import energy_figures, front_table, power_sentence
from perfcast.studies.prediction.inputs import read_inputs
from perfcast.studies.prediction.page import report_page
from perfcast.studies.prediction.summary import summary_lines
from tests.unit.report.campaigns import make_campaign

NO_SENSOR = "no sensor found (looked for RAPL, INA3221, tegrastats, NVML)"


@pytest.fixture(scope="module")
def campaign():
    return make_campaign()


@pytest.fixture(scope="module")
def powered(campaign):
    """The campaign on a machine that draws 4 W at rest and 10 W under load."""
    table = campaign.dataset
    energy = 10.0 * table["latency_ms"]
    columns = {"run": energy, "run_low": 0.9 * energy, "run_high": 1.1 * energy, "run_above_idle": 0.6 * energy}
    measured = {f"energy_{name}_mj": values for name, values in columns.items()}
    facts = {"power_source": "ina3221", "power_reason": None, "power_idle_w": 4.0, "power_mean_w": 10.0}
    return campaign.with_dataset(table.assign(**facts, **measured))


def page_of(campaign):
    return report_page(*campaign.arguments(), target="nano")


def test_page_without_power_says_why_once(campaign):
    unpowered = campaign.with_dataset(campaign.dataset.assign(power_reason=NO_SENSOR, energy_run_mj=np.nan))
    page = page_of(unpowered)
    assert page.html().count(f"Power: not measured: {NO_SENSOR}.") == 1
    assert 'id="energy"' not in page.html()
    assert summary_lines(unpowered.dataset, campaign.evaluation).count(f"power: not measured: {NO_SENSOR}") == 1


def test_source_that_never_gave_a_reading_is_named(powered):
    broken = powered.dataset.assign(energy_run_mj=np.nan)
    assert power_sentence(broken) == "not measured: ina3221 gave no usable reading; the log says why"
    assert power_sentence(broken.assign(power_source=None)) == "not measured: not asked for"


def test_page_with_power_shows_the_front_of_energy_memory_and_time(powered):
    page = page_of(powered)
    assert '<h2 id="energy-title">Energy</h2>' in page.html()
    assert "energy" in {figure.key for figure in page.figures}
    words = power_sentence(powered.dataset)
    assert words.startswith("read from ina3221 for 41 measurements; medians: 4.00 W at rest, 10.0 W under load, ")
    front = front_table(read_inputs(*powered.arguments(), "nano"))
    measured = powered.dataset[(powered.dataset["replicate"] == 0) & (powered.dataset["trust"] != "rejected")]
    fastest = measured.loc[measured["latency_ms"].idxmin(), "model"]
    assert front.rows[0].cells[0].text == fastest
    assert 0 < len(front.rows) < len(measured)


def test_rows_without_memory_are_in_no_front(powered):
    lacking = powered.with_dataset(powered.dataset.assign(ram_run_peak_mb=np.nan))
    data = read_inputs(*lacking.arguments(), "nano")
    assert [bool(figure.missing) for figure in energy_figures(data)] == [True]
    assert front_table(data).rows == ()
    page_of(lacking)


def test_where_power_modes_vary_each_model_has_a_front(powered):
    table = powered.dataset
    slow = table.assign(latency_ms=2 * table["latency_ms"], energy_run_mj=0.8 * table["energy_run_mj"], nvpmodel=1)
    worse = table.assign(latency_ms=3 * table["latency_ms"], nvpmodel=2)
    both = powered.with_dataset(pd.concat([table.assign(nvpmodel=0), slow, worse], ignore_index=True))
    data = read_inputs(*both.arguments(), "nano")
    labels = [row.cells[0].text for row in front_table(data).rows]
    assert {label.rpartition(" ")[2] for label in labels} == {"0", "1"}
    first = [label for label in labels if label.startswith("densenet101_128 ")]
    assert sorted(first) == ["densenet101_128 · nvpmodel 0", "densenet101_128 · nvpmodel 1"]
    assert "no other measurement of the same model" in energy_figures(data)[0].caption
