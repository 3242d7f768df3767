"""What measuring costs beside the timed inferences, against the naive way: a process per model.

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
from dataclasses import replace
from pathlib import Path

from perfcast.bench.campaign import Campaign
from perfcast.bench.record import MeasurementStore
from perfcast.bench.target import Replicates, Target
from perfcast.bench.transport import LocalTransport
from perfcast.catalog.sheet import parse_sheet
from perfcast.config import read_yaml
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import export_models
from perfcast.progress import track

SHEET = """source,builder,input_size,parameters
keras_applications,DenseNet121,224,
keras_applications,EfficientNetB0,224,
keras_applications,EfficientNetV2B0,224,
keras_applications,InceptionV3,224,
keras_applications,MobileNet,224,
keras_applications,MobileNetV2,224,
keras_applications,MobileNetV3Small,224,
keras_applications,NASNetMobile,224,
keras_applications,ResNet50,224,
keras_applications,Xception,224,
synthetic,basic_model,32,conv_layers=1;filter_size=3;filters=64;strides=2
synthetic,basic_model,64,conv_layers=2;filter_size=3;filters=64;strides=2
synthetic,basic_model,96,conv_layers=3;filter_size=3;filters=64;strides=1
synthetic,basic_model,128,conv_layers=4;filter_size=3;filters=32;strides=1
synthetic,basic_model,160,conv_layers=5;filter_size=3;filters=32;strides=2
synthetic,basic_model,192,conv_layers=6;filter_size=3;filters=16;strides=2
synthetic,basic_model,224,conv_layers=4;filter_size=5;filters=16;strides=2
synthetic,basic_model,224,conv_layers=8;filter_size=3;filters=24;strides=2
synthetic,basic_model,64,conv_layers=12;filter_size=3;filters=128;strides=1
synthetic,basic_model,128,conv_layers=16;filter_size=3;filters=16;strides=1
"""

NAIVE = """
import sys, time, json
import numpy as np, keras
from perfcast.catalog.spec import ModelSpec
from perfcast.catalog.build import build_model
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


def measure_ours(specs, iterations, folder, root):
    """Return the records of a campaign over ``specs``, and what storing each takes (s)."""
    description = read_yaml(root / "config/targets/local.yaml")
    description["protocol"] |= {"iterations": iterations, "discard": iterations // 5}
    target = replace(Target.from_dict("local", description), replicates=Replicates(0.0, 0))
    artifacts, measurements = ArtifactStore(folder), MeasurementStore(folder)
    with track(len(specs), "exporting") as advance:
        exports = export_models(specs, artifacts, advance)
    campaign = Campaign(target, LocalTransport(folder / "log"), artifacts, measurements)
    records = [measurements.measurement(key) for key in campaign.measure(exports, track, "measuring")]
    return records, [stored_s(measurements, record) for record in records]


def stored_s(measurements, record):
    start = time.perf_counter()
    measurements.put(record)
    return time.perf_counter() - start


def naive_overhead_s(spec, iterations):
    """Return what a process of its own costs beside the timed inferences."""
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
    specs = parse_sheet(SHEET, "the fixed list")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(__file__).resolve().parents[1]
        records, stored = measure_ours(specs, arguments.iterations, Path(folder), root)
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
