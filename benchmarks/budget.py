"""What a budget buys: how well latencies repeat, and how many are trusted, against the seconds that were measured.

    PYTHONPATH=. python benchmarks/budget.py [--seconds 20 20 40 80 160] [--keep FOLDER]

Two campaigns of 20 models, each in a store of its own, are measured in turns, always for as many seconds more. After
each step is printed: seconds of a campaign so far, test-retest error |a - b| / mean of what perfcast reports (median
and 95th percentile over the models), the median half-width of the 95% intervals, and how many measurements are trusted.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from model_lists import MIDDLING, campaign_in, exported, records_of, specs_of

from perfcast.stability import Series, judge, learn_machine


def judged(records):
    """Return the judgements of a campaign's records, by the machine that is learned from them."""
    series = [Series.of_record(record) for record in records]
    machine = learn_machine(series)
    return [judge(one, machine) for one in series]


def print_step(spent_s, both):
    """Print what two campaigns give; ``both`` holds the judgements of each."""
    first, second = (np.array([one.location_ms for one in judgements]) for judgements in both)
    every = [one for judgements in both for one in judgements]
    median, high = np.percentile(np.abs(first - second) / ((first + second) / 2) * 100, [50, 95])
    width = np.median([(one.high_ms - one.low_ms) / 2 / one.location_ms * 100 for one in every])
    trusted = sum(one.trust == "trusted" for one in every)
    visits = np.mean([one.visits for one in every])
    print(f"{spent_s:9.0f}{visits:12.1f}{median:10.2f}{high:8.2f}{width:14.1f}{trusted:8} of {len(every)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=[20, 20, 40, 80, 160])
    parser.add_argument("--keep", type=Path, help="folder to keep all measurements in")
    arguments = parser.parse_args()
    print(f"{'seconds':>9}{'visits each':>12}{'median %':>10}{'p95 %':>8}{'interval ± %':>14}{'trusted':>14}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        exports = exported(specs_of(MIDDLING), folder / "exports")
        campaigns = [campaign_in(folder / name, folder / "exports") for name in ("a", "b")]
        spent_s = 0.0
        for seconds in arguments.seconds:
            spent_s += seconds
            pair = [replace(campaign, budget_s=seconds) for campaign in campaigns]
            print_step(spent_s, [judged(records_of(each, exports, f"{spent_s:.0f} s")) for each in pair])


if __name__ == "__main__":
    main()
