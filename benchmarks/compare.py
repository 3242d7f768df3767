"""How often `perfcast compare` gives a false alarm, and what it finds: on real campaigns, or on made-up noise.

    python benchmarks/compare.py [--pairs N] [--keep FOLDER]
    python benchmarks/compare.py --simulate [--pairs N]

Two campaigns of ten small models, one right after the other, are a pair in which nothing changed. Printed: how many
pairs give a false alarm, with the 95% interval of Clopper and Pearson; which share of planted regressions is found, of
one model (each in turn) and of all; and, of real campaigns, what one thread instead of two gives.
"""

import argparse
import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from model_lists import campaign_in, exported, records_of, specs_of
from scipy import stats

from perfcast.dataset.build import build_dataset
from perfcast.features.table import features_table
from perfcast.studies.comparison.comparison import Options, compare
from perfcast.studies.comparison.pairs import pair

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
PLANTED = (0.05, 0.10, 0.20)
THRESHOLDS = (0.0, 0.05)
ONE_THREAD_PAIRS = 3
MOST_TRIALS = 500


@dataclass(frozen=True)
class World:
    """Made-up noise, as standard deviations of log latencies unless said otherwise.

    Attributes:
        visits: of each model in a campaign.
        between_visits: lowest and highest of the models.
        rounds: of all models alike, from one round to the next.
        shift: how much slower a whole campaign may be, at most.
        seen: which share of that the calibration workload sees.
        models: how differently campaigns treat models.
        spikes: probability that a sample takes several times as long.
    """

    visits: int = 5
    between_visits: tuple[float, float] = (0.02, 0.05)
    rounds: float = 0.01
    shift: float = 0.08
    seen: float = 0.8
    models: float = 0.01
    spikes: float = 0.02


WORLDS = {
    "as expected": World(),
    "calm": World(between_visits=(0.005, 0.02), rounds=0.005, shift=0.02, models=0.003, spikes=0.005),
    "rough": World(between_visits=(0.02, 0.10), rounds=0.03, spikes=0.05),
    "models treated differently": World(models=0.03),
    "shift unseen": World(seen=0.0),
    "three visits": World(visits=3),
    "one visit": World(visits=1),
}
SAMPLES = 40


def simulated(world, chance, models=10):
    """Return a dataset of a campaign in a world of made-up noise."""
    shift = chance.uniform(0, world.shift)
    rounds = world.rounds * chance.standard_normal(world.visits)
    rows = []
    # The models themselves are the same in each campaign.
    for number, noise in enumerate(np.linspace(*world.between_visits, models)):
        level = np.log(1 + number) + shift + rounds + world.models * chance.standard_normal()
        level = level + noise * chance.standard_normal(world.visits)
        times = np.exp(level[:, None] + 0.01 * chance.standard_normal((world.visits, SAMPLES)))
        times *= np.where(chance.random(times.shape) < world.spikes, chance.uniform(1.5, 5, times.shape), 1)
        calibration = np.exp(world.seen * (shift + rounds) + 0.005 * chance.standard_normal(world.visits))
        rows.append(simulated_row(f"model_{number}", times, calibration))
    return pd.DataFrame(rows)


def simulated_row(model, times, calibration):
    visit = np.repeat(np.arange(len(times)), times.shape[1])
    return {
        "model": model,
        "batch": 1,
        "workload": "inference",
        "outcome": "measured",
        "replicate": 0,
        COLUMN: np.median(times),
        "wall_samples_ms": times.ravel(),
        "visit": visit,
        "round": visit,
        "visit_calibration_ms": calibration,
        "visit_disturbed": [False] * len(times),
    }


def measured(folder, exports_folder, exports, description, **factors):
    """Return the dataset of a real campaign."""
    campaign = campaign_in(folder, exports_folder, **factors)
    records = records_of(campaign, exports, description)
    descriptors = [campaign.artifacts.descriptor(record["artifact"]) for record in records]
    models = pd.DataFrame({name: [descriptor[name] for descriptor in descriptors] for name in ("model", "source")})
    environments = {
        record["environment"]: campaign.measurements.environment(record["environment"]) for record in records
    }
    return build_dataset(records, features_table(descriptors), models, environments)


def slowed(dataset, models, share):
    """Return the dataset with all times of these models that much longer."""
    chosen = dataset["model"].isin(models)
    changed = dataset.copy()
    changed[COLUMN] = dataset[COLUMN].where(~chosen, dataset[COLUMN] * (1 + share))
    changed["wall_samples_ms"] = [
        np.asarray(times) * (1 + share) if slow and times is not None else times
        for times, slow in zip(dataset["wall_samples_ms"], chosen, strict=True)
    ]
    return changed


def regressions(first, second, threshold):
    return compare(pair(first, second, COLUMN), Options(threshold=threshold)).regressions


def share_of(count, total):
    """Return a share and its 95% interval in words."""
    low, high = stats.binomtest(count, total).proportion_ci(method="exact")
    return f"{100 * count / total:5.1f}%  ({100 * low:.1f} to {100 * high:.1f}%, {count} of {total})"


def print_rates(pairs):
    """Print the rate of false alarms over pairs in which nothing changed, and the power for planted regressions."""
    for threshold in THRESHOLDS:
        false = sum(bool(regressions(a, b, threshold)) for a, b in pairs)
        print(f"  false alarms, threshold {threshold:4.0%}        {share_of(false, len(pairs))}")
    for planted, threshold in itertools.product(PLANTED, THRESHOLDS):
        if planted <= threshold:
            continue
        trials = [(a, b, model) for a, b in pairs for model in pair(a, b, COLUMN).a["model"]]
        trials = trials[:: -(-len(trials) // MOST_TRIALS)]
        one = sum(model in regressions(a, slowed(b, [model], planted), threshold) for a, b, model in trials)
        every = sum(bool(regressions(a, slowed(b, set(b["model"]), planted), threshold)) for a, b in pairs)
        print(f"  one model {planted:4.0%} slower, threshold {threshold:4.0%}  {share_of(one, len(trials))}")
        print(f"  all models {planted:4.0%} slower, threshold {threshold:4.0%} {share_of(every, len(pairs))}")


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
    false = sum(bool(regressions(a, b, 0.0)) for a, b in far)
    print(f"  of campaigns far apart, threshold 0%: {share_of(false, len(far))}")
    print_one_thread([(pairs[at][0], campaign(f"{at}one", threads=1)) for at in range(min(count, ONE_THREAD_PAIRS))])


def report_simulated(count):
    for name, world in WORLDS.items():
        print(f"{name}: {count} pairs")
        chance = np.random.default_rng(1)
        print_rates([(simulated(world, chance), simulated(world, chance)) for _ in range(count)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--simulate", action="store_true", help="make the noise up instead of measuring")
    parser.add_argument("--keep", type=Path, help="folder to keep all measurements in; what it has is not measured")
    arguments = parser.parse_args()
    if arguments.simulate:
        report_simulated(arguments.pairs)
        return
    with tempfile.TemporaryDirectory() as temporary:
        report_measured(arguments.pairs, arguments.keep or Path(temporary))


if __name__ == "__main__":
    main()
