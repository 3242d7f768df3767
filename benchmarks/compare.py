"""How often `perfcast compare` gives a false alarm, and what it finds: on real campaigns, or on made-up noise.

    PYTHONPATH=. python benchmarks/compare.py [--pairs N] [--keep FOLDER]
    PYTHONPATH=. python benchmarks/compare.py --repeated FOLDER
    PYTHONPATH=. python benchmarks/compare.py --simulate [--pairs N] [--models N]
    PYTHONPATH=. python benchmarks/compare.py --records FILE [--pairs N] [--models N]

Two campaigns of ten small models, one right after the other, are a pair in which nothing changed. Printed: how many
pairs give a false alarm, with the 95% interval of Clopper and Pearson; which share of planted regressions is found, of
one model (each in turn) and of all; and, of real campaigns, what one thread instead of two gives.

--repeated takes the campaigns that `benchmarks/repeatability.py --keep FOLDER` left there: all pairs of quiet ones, of
disturbed ones, and of one quiet and one disturbed.
--simulate takes pairs of campaigns on simulated machines instead, under each load and under loads that change.
--records takes a recorded campaign (gzipped JSON lines): pairs of random halves of its visits, of its earlier and later
visits, and the models that it measured twice.
"""

import argparse
import gzip
import itertools
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from model_lists import MIDDLING, campaign_in, exported, specs_of
from scipy import stats

from perfcast.dataset.measured import measured_dataset
from perfcast.progress import track
from perfcast.studies.comparison.comparison import Options, compare
from perfcast.studies.comparison.pairs import pair
from tests.unit.simulated_campaigns import LOADS, Models, row, slowed
from tests.unit.simulated_campaigns import campaign as simulated

SMALL = """keras_applications,MobileNet,96,alpha=0.5
keras_applications,MobileNetV2,96,
keras_applications,MobileNetV3Small,128,
synthetic,basic_model,64,conv_layers=4;filter_size=3;filters=32;strides=1
synthetic,basic_model,64,conv_layers=2;filter_size=5;filters=32;strides=1
synthetic,basic_model,96,conv_layers=3;filter_size=3;filters=64;strides=1
synthetic,basic_model,96,conv_layers=5;filter_size=3;filters=32;strides=2
synthetic,basic_model,128,conv_layers=6;filter_size=3;filters=16;strides=1
dense,mlp,32,layers=3;units=512
dense,mlp,64,layers=2;units=256
"""
COLUMN = "latency_ms"
PLANTED = (1.1, 1.2, 1.5)
THRESHOLD = 0.05
ONE_THREAD_PAIRS = 3


def measured(folder, exports_folder, exports, description, **factors):
    """Return the dataset of a real campaign."""
    campaign = campaign_in(folder, exports_folder, **factors)
    return measured_dataset(campaign.measurements, campaign.artifacts, campaign.measure(exports, track, description))


def found_in(first, second, threshold=THRESHOLD):
    """Return the names of the regressions, and whether there is any, of single models or of all together."""
    found = compare(pair(first, second, COLUMN), Options(threshold=threshold))
    return found.regressions, found.has_regressed


def share_of(count, total):
    """Return a share and its 95% interval in words."""
    low, high = stats.binomtest(count, total).proportion_ci(method="exact")
    return f"{100 * count / total:5.1f}%  ({100 * low:.1f} to {100 * high:.1f}%, {count} of {total})"


def print_rates(pairs):
    """Print the rate of false alarms over pairs in which nothing changed, and the power for planted regressions."""
    for threshold in (0.0, THRESHOLD):
        false = sum(found_in(a, b, threshold)[1] for a, b in pairs)
        print(f"  false alarms, threshold {threshold:4.0%}  {share_of(false, len(pairs))}", flush=True)
    for planted in PLANTED:
        one = every = 0
        for number, (a, b) in enumerate(pairs):
            models = pair(a, b, COLUMN).a["model"]
            model = models.iloc[number % len(models)]
            one += model in found_in(a, slowed(b, [model], planted))[0]
            every += found_in(a, slowed(b, set(b["model"]), planted))[1]
        print(f"  one model {planted} times slower   {share_of(one, len(pairs))}")
        print(f"  all models {planted} times slower  {share_of(every, len(pairs))}", flush=True)


def print_one_thread(pairs):
    for first, second in pairs:
        found = compare(pair(first, second, COLUMN), Options())
        ratios = found.models["ratio"]
        print(
            f"  one thread instead of two: {len(found.regressions)} of {len(ratios)} models regress; B/A is "
            f"{ratios.min():.2f} to {ratios.max():.2f}, {ratios.median():.2f} of the typical one"
        )


def report_measured(count, folder):
    exports = exported(specs_of(SMALL), folder / "exports")

    def campaign(name, **factors):
        return measured(folder / name, folder / "exports", exports, f"campaign {name}", **factors)

    pairs = [(campaign(f"{number}a"), campaign(f"{number}b")) for number in range(count)]
    usable = [(a, b) for a, b in pairs if len(pair(a, b, COLUMN).a) > 1]
    rejected = [sum(side["trust"] == "rejected") for both in pairs for side in both]
    disturbed = [side["disturbed_visits"].sum() / side["visits"].sum() for both in pairs for side in both]
    print(
        f"{len(usable)} pairs of campaigns of {len(exports)} models; {np.mean(rejected):.1f} rejected a campaign, "
        f"disturbed {100 * np.mean(disturbed):.0f}% of the visits"
    )
    print_rates(usable)
    far = [(a, pairs[(at + count // 2) % count][1]) for at, (a, _) in enumerate(pairs)]
    false = sum(found_in(a, b, 0.0)[1] for a, b in far)
    print(f"  of campaigns far apart, threshold 0%: {share_of(false, len(far))}")
    print_one_thread([(pairs[at][0], campaign(f"{at}one", threads=1)) for at in range(min(count, ONE_THREAD_PAIRS))])


def report_repeated(folder):
    exports = exported(specs_of(MIDDLING), folder / "exports")
    by_condition = {
        condition: [measured(place, folder / "exports", exports, place.name) for place in sorted(folder.glob(pattern))]
        for condition, pattern in (("quiet", "default quiet *"), ("disturbed", "default disturbed *"))
    }
    quiet, disturbed = by_condition.values()
    kinds = {
        "both quiet": itertools.combinations(quiet, 2),
        "both disturbed": itertools.combinations(disturbed, 2),
        "one quiet, one disturbed": itertools.product(quiet, disturbed),
    }
    for name, pairs in kinds.items():
        chosen = list(pairs)
        print(f"{name}: {len(chosen)} pairs of {len(exports)} models")
        print_rates(chosen)


def report_simulated(count, models):
    for name, loads in {**{load.__name__: [load] for load in LOADS}, "changing load": LOADS}.items():
        chance = np.random.default_rng(1)
        pairs = []
        for _ in range(count):
            same = Models.drawn(models, chance)
            pairs.append([simulated(same, loads[chance.integers(len(loads))], chance) for _ in "ab"])
        print(f"{name.replace('_', ' ')}: {count} pairs of {models} models")
        print_rates(pairs)


def report_recorded(path, count, models):
    with gzip.open(path, "rt") as file:
        rows = pd.DataFrame([row_of(json.loads(line)) for line in file])
    once = rows[rows["replicate"] == 0]
    half = min(len(calibrations) for calibrations in once["visit_calibration_ms"]) // 2
    chance = np.random.default_rng(1)
    halves = {"random halves": [], "earlier and later half": []}
    for _ in range(count):
        chosen = once.iloc[chance.choice(len(once), models, replace=False)]
        order = chance.permutation(2 * half)
        halves["random halves"].append([visits_at(chosen, np.sort(part)) for part in np.split(order, 2)])
        turn = chance.permutation(2)
        halves["earlier and later half"].append(
            [visits_at(chosen, part) for part in np.arange(2 * half).reshape(2, half)[turn]]
        )
    for name, pairs in halves.items():
        print(f"{name}: {count} pairs of {models} of {len(once)} models")
        print_rates(pairs)
    twice = rows[rows["replicate"] == 1].assign(replicate=0)
    found = compare(pair(once, twice, COLUMN), Options(threshold=0.0))
    print(
        f"measured twice: {len(found.models)} models; {len(found.regressions)} slower, {len(found.improvements)} faster"
    )


def row_of(record):
    """Return the columns that a comparison needs; earlier records call the calibration workload the reference."""
    samples, visits = record["samples"], record["visits"]
    kept = ~np.array(samples["discarded"], bool)
    times, visit = np.array(samples["wall_ns"])[kept] / 1e6, np.array(samples["visit"])[kept]
    timed = [visit.get("calibration") or visit["reference"] for visit in visits]
    return row(record["model"], times[None]) | {
        "replicate": record["replicate"],
        "visit": visit,
        "round": np.array([visit["round"] for visit in visits])[visit],
        "visit_disturbed": [visit["disturbed"] for visit in visits],
        "visit_calibration_ms": [(around["before_ns"] + around["after_ns"]) / 2e6 for around in timed],
    }


def visits_at(rows, numbers):
    """Return the rows with these visits only."""
    changed = []
    for one in rows.to_dict("records"):
        chosen = np.isin(one["visit"], numbers)
        changed.append(
            one
            | {name: np.asarray(one[name])[chosen] for name in ("wall_samples_ms", "round")}
            | {name: np.asarray(one[name])[numbers] for name in ("visit_disturbed", "visit_calibration_ms")}
            | {"visit": np.searchsorted(numbers, one["visit"][chosen])}
        )
    return pd.DataFrame(changed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--models", type=int, default=20, help="of each simulated or recorded campaign")
    parser.add_argument("--simulate", action="store_true", help="simulate the campaigns instead of measuring them")
    parser.add_argument("--records", type=Path, help="split this recorded campaign instead of measuring")
    parser.add_argument("--repeated", type=Path, help="folder of campaigns that benchmarks/repeatability.py kept")
    parser.add_argument("--keep", type=Path, help="folder to keep all measurements in; what it has is not measured")
    arguments = parser.parse_args()
    if arguments.simulate:
        report_simulated(arguments.pairs, arguments.models)
        return
    if arguments.records:
        report_recorded(arguments.records, arguments.pairs, arguments.models)
        return
    if arguments.repeated:
        report_repeated(arguments.repeated)
        return
    with tempfile.TemporaryDirectory() as temporary:
        report_measured(arguments.pairs, arguments.keep or Path(temporary))


if __name__ == "__main__":
    main()
