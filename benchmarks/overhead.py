"""What measuring costs besides the timed inferences, against the naive way: a process per model.

    python benchmarks/overhead.py [--iterations N] [--skip-naive]

A fixed list of ten applications and ten synthetic networks. Printed per model, in seconds: fork and answer, load,
first call, everything in all; and the same network the naive way: start Python, import TensorFlow, rebuild, measure.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from model_lists import VARIED, campaign_in, exported, records_of, specs_of

NAIVE = """
import sys, time, json
import numpy as np, keras
from perfcast.models.spec import ModelSpec
from perfcast.models.build import build_model
spec, iterations = ModelSpec.from_dict(json.loads(sys.argv[1])), int(sys.argv[2])
model = build_model(spec)
import tensorflow as tf
infer = tf.function(lambda x: model(x, training=False))
x = tf.constant(np.random.rand(1, *spec.input_shape).astype("float32"))
infer(x).numpy()
start = time.perf_counter()
for _ in range(iterations):
    infer(x).numpy()
print(time.perf_counter() - start)
"""


GOALS = {"keras_applications": "median 6 s", "synthetic": "most 1.5 s"}
COLUMNS = ("fork s", "load s", "first s", "all s", "naive s", "ratio")


def stored_s(measurements, record):
    start = time.perf_counter()
    measurements.put(record)
    return time.perf_counter() - start


def naive_overhead_s(spec, iterations):
    """Return what a process of its own costs besides the timed inferences."""
    from perfcast.storage import canonical_json

    start = time.perf_counter()
    command = [sys.executable, "-c", NAIVE, canonical_json(spec.to_dict()).decode(), str(iterations)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - start - float(answer.stdout.split()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--iterations", type=int, default=250)
    parser.add_argument("--skip-naive", action="store_true")
    arguments = parser.parse_args()
    specs = specs_of(VARIED)
    protocol = {
        "name": "published",
        "iterations": arguments.iterations,
        "discard": arguments.iterations // 5,
        "visits": 1,
        "repeats": 0,
    }
    with tempfile.TemporaryDirectory() as folder:
        campaign = campaign_in(Path(folder), Path(folder), protocol)
        records = records_of(campaign, exported(specs, Path(folder)), "measuring")
        stored = [stored_s(campaign.measurements, record) for record in records]
    print(f"{'model':32}{'latency ms':>11}" + "".join(f"{name:>8}" for name in COLUMNS))
    kinds = {"keras_applications": [], "synthetic": []}
    for spec, record, write_s in zip(specs, records, stored, strict=True):
        timing = record["timing"] | {"fork_s": record["timing"]["fork_s"] + write_s}
        naive = float("nan") if arguments.skip_naive else naive_overhead_s(spec, arguments.iterations)
        latency = statistics.median(record["samples"]["wall_ns"]) * 1e-6
        kinds[spec.source].append((timing["fork_s"], timing["overhead_s"], naive))
        numbers = [*(timing[f"{name}_s"] for name in ("fork", "load", "first_call", "overhead")), naive]
        numbers.append(naive / timing["overhead_s"])
        print(f"{spec.model:32}{latency:11.2f}" + "".join(f"{number:8.2f}" for number in numbers))
    for kind, rows in kinds.items():
        fork, ours, naive = zip(*rows, strict=True)
        print(
            f"{kind}: fork and write at most {max(fork):.2f} s (goal 0.3); all median {statistics.median(ours):.2f} s, "
            f"most {max(ours):.2f} s (goal: {GOALS[kind]}); naive median {statistics.median(naive):.2f} s"
        )


if __name__ == "__main__":
    main()
