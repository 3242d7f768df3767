"""Which protocol and which estimate of a latency repeats best, quiet and disturbed.

    PYTHONPATH=. python benchmarks/repeatability.py [--times N] [--seed S] [--keep FOLDER]

A campaign of 20 models is repeated under each protocol, in turns, with and without a disturbance: `stress-ng` on one
core, on and off for 1 to 10 s at random. Printed: the test-retest error |a - b| / mean over all pairs of repetitions
(median and 95th percentile) of each estimate; how many times smaller its median is than that of the published
protocol's mean, with a 95% interval, bootstrapped over models; and what shorter measurements repeat to.
"""

import argparse
import contextlib
import itertools
import json
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from disturbance import disturbance
from model_lists import MIDDLING, campaign_in, exported, records_of, specs_of

from perfcast.stability import Series, judge, learn_machine
from tests.unit.stability.candidates import FIXED

PUBLISHED = {"name": "published", "iterations": 250, "discard": 50, "visits": 1, "repeats": 0}
PROTOCOLS = {"published": PUBLISHED, "default": None}
CONDITIONS = "disturbed", "quiet"
BOOTSTRAPS = 2000


def measure_all(times, seed, folder):
    """Return series by (protocol, condition): a list of repetitions, each a list of series by model; and seconds."""
    exports = exported(specs_of(MIDDLING), folder / "exports")
    series, seconds = {}, {}
    for repetition, (condition, name) in itertools.product(range(times), itertools.product(CONDITIONS, PROTOCOLS)):
        place = folder / f"{name} {condition} {repetition}"
        disturbed = disturbance(f"{seed} {repetition}") if condition == "disturbed" else contextlib.nullcontext()
        with disturbed:
            records, spent = timed(place, PROTOCOLS[name], exports, f"{name}, {condition}, {repetition + 1} of {times}")
        seconds.setdefault((name, condition), []).append(spent)
        series.setdefault((name, condition), []).append([Series.of_record(record) for record in records])
    return series, seconds


def timed(place, protocol, exports, description):
    """Return the records of a campaign and the seconds that it took; what is kept is not measured."""
    kept = place / "seconds.json"
    if place.exists() and not kept.exists():
        shutil.rmtree(place)  # It was begun: its seconds would be too few.
    campaign = campaign_in(place, place.parent / "exports", protocol)
    start = time.monotonic()
    records = records_of(campaign, exports, description)
    if not kept.exists():
        kept.write_text(json.dumps(time.monotonic() - start))
    return records, json.loads(kept.read_text())


def errors(values):
    """Return |a - b| / mean in % of all pairs of repetitions: an array (models, pairs) of one (repetitions, models)."""
    pairs = itertools.combinations(np.asarray(values), 2)
    return np.array([np.abs(a - b) / ((a + b) / 2) * 100 for a, b in pairs]).T


def ratio(published, chosen, seed):
    """Return how many times smaller the median error is, and its 95% interval."""
    generator = np.random.default_rng(seed)
    draws = generator.integers(0, len(published), (BOOTSTRAPS, len(published)))
    ratios = [np.median(published[draw]) / np.median(chosen[draw]) for draw in draws]
    return np.median(published) / np.median(chosen), *np.percentile(ratios, [2.5, 97.5])


def reported(repetitions, machine):
    """Return what perfcast reports: an array (repetitions, models)."""
    return [[judge(one, machine).location_ms for one in models] for models in repetitions]


def report(series, seconds, seed):
    print(f"{'protocol':11}{'condition':11}{'estimate':24}{'median %':>9}{'p95 %':>8}")
    found = {}
    for (protocol, condition), repetitions in series.items():
        machine = learn_machine([one for models in repetitions for one in models])
        tried = {name: [[of(one) for one in models] for models in repetitions] for name, of in FIXED.items()}
        for name, values in (tried | {"perfcast": reported(repetitions, machine)}).items():
            found[protocol, condition, name] = errors(values)
            median, high = np.percentile(found[protocol, condition, name], [50, 95])
            print(f"{protocol:11}{condition:11}{name:24}{median:9.2f}{high:8.2f}")
    for condition, name in itertools.product(CONDITIONS, PROTOCOLS):
        best, low, high = ratio(found["published", condition, "mean"], found[name, condition, "perfcast"], seed)
        spent = {protocol: np.mean(seconds[protocol, condition]) for protocol in ("published", name)}
        print(
            f"{condition}, {name}: {best:.1f} times smaller ({low:.1f} to {high:.1f}) than the published "
            f"protocol's mean; a campaign took {spent[name]:.0f} s against {spent['published']:.0f} s"
        )
    report_shorter(series)


def report_shorter(series):
    """Print what a part of each measurement repeats to: its first visits, or its first inferences."""
    print(f"{'condition':11}{'part':34}{'inferring s':>12}{'median %':>9}{'p95 %':>8}")
    for condition in CONDITIONS:
        for count in (50, 100, 150, 200, 250):
            shorter = [
                [one.where(np.arange(len(one.wall_ms)) < count) for one in models]
                for models in series["published", condition]
            ]
            values = [[mean_after_warmup(one) for one in models] for models in shorter]
            print_part(condition, f"published, {count} inferences", shorter, values)
        for count in (2, 3, 4, 6, 8, 10):
            shorter = [
                [one.where(np.isin(one.visit, one.visits[:count])) for one in models]
                for models in series["default", condition]
            ]
            machine = learn_machine([one for models in shorter for one in models])
            print_part(condition, f"default, {count} visits at most", shorter, reported(shorter, machine))


def mean_after_warmup(series):
    """Return the mean without the first fifth, as the published 50 of 250 are."""
    return float(series.wall_ms[len(series.wall_ms) // 5 :].mean())


def print_part(condition, name, repetitions, values):
    spent = np.mean([sum(one.wall_ms.sum() for one in models) for models in repetitions]) * 1e-3
    median, high = np.percentile(errors(values), [50, 95])
    print(f"{condition:11}{name:34}{spent:12.1f}{median:9.2f}{high:8.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder to keep all measurements in; what it has is not measured")
    arguments = parser.parse_args()
    if not shutil.which("stress-ng"):
        parser.exit(2, "stress-ng is not installed\n")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        series, seconds = measure_all(arguments.times, arguments.seed, folder)
    report(series, seconds, arguments.seed)


if __name__ == "__main__":
    main()
