"""The memory of training steps, predicted from layers alone and measured: 20 networks by 4 optimizers.

    python benchmarks/training_memory.py measured.jsonl [--batch 8] [--network NAME]... [--optimizer NAME]...

Each measurement is a process of its own that loads the program that perfcast's runner trains and makes three steps.
It appends one line to the file; what is there is not measured again, so that a run continues where the last one ended.
Measured are the peak of TensorFlow's allocator (`get_memory_info`), and that of the resident set in these steps, less a
null model's. The first eight networks are those that rules of the schedule were chosen on; the limits of that are in
docs/training-study.md.
"""

import argparse
import json
import multiprocessing
import tempfile
from pathlib import Path

import numpy as np

STEPS = 3
MB = 1e6
CHOSEN_ON = 8
NULL = "null"
OPTIMIZERS = ("sgd", "adam", "momentum", "adagrad")
NETWORKS = {
    "vgg16_64": ("VGG16", 64, {}),
    "resnet50_64": ("ResNet50", 64, {}),
    "densenet121_64": ("DenseNet121", 64, {}),
    "mobilenet_025_160": ("MobileNet", 160, {"alpha": 0.25}),
    "mobilenetv2_96": ("MobileNetV2", 96, {}),
    "efficientnetb0_96": ("EfficientNetB0", 96, {}),
    "inceptionv3_96": ("InceptionV3", 96, {}),
    "mobilenetv3small_128": ("MobileNetV3Small", 128, {}),
    "xception_96": ("Xception", 96, {}),
    "vgg19_48": ("VGG19", 48, {}),
    "resnet101_64": ("ResNet101", 64, {}),
    "resnet50v2_64": ("ResNet50V2", 64, {}),
    "resnet50_96": ("ResNet50", 96, {}),
    "mobilenet_128": ("MobileNet", 128, {}),
    "mobilenet_050_224": ("MobileNet", 224, {"alpha": 0.5}),
    "mobilenetv2_035_160": ("MobileNetV2", 160, {"alpha": 0.35}),
    "mobilenetv2_160": ("MobileNetV2", 160, {}),
    "mobilenetv3large_96": ("MobileNetV3Large", 96, {}),
    "densenet169_64": ("DenseNet169", 64, {}),
    "efficientnetv2b0_96": ("EfficientNetV2B0", 96, {}),
}
"""Class of Keras Applications, pixels and further arguments, by name."""


def build(name):
    """Return a network, without pretrained weights."""
    import keras

    kind, pixels, more = NETWORKS[name]
    return getattr(keras.applications, kind)(weights=None, input_shape=(pixels, pixels, 3), classes=10, **more)


def export(folder, name, optimizers):
    """Write the training programs of a network, and its layers, into a folder."""
    from perfcast.export.training.optimizers import OPTIMIZERS as UPDATES
    from perfcast.export.training.trace import trace_step
    from perfcast.formats.keras_json.live import network_of_live

    model = build(name)
    descriptor = network_of_live(model, {"": (1, *model.input_shape[1:])}).descriptor()
    outputs = sorted(port["name"] for port in descriptor["outputs"])
    (folder / f"{name}.layers.json").write_text(json.dumps({"layers": descriptor["layers"], "outputs": outputs}))
    for optimizer in optimizers:
        graph = trace_step(model, [], "all", UPDATES[optimizer])
        (folder / f"{name}.{optimizer}.pb").write_bytes(graph.serialized)
        (folder / f"{name}.{optimizer}.json").write_text(json.dumps(graph.interface))


def train(pipe, folder, name, optimizer, batch):
    """Make some steps as the runner does, and send both peaks in bytes."""
    from perfcast.runner import memory
    from perfcast.runner.toolchains import TOOLCHAINS
    from perfcast.runner.workloads import WORKLOADS

    factors = {"batch": batch, "threads": 2, "optimizer": optimizer, "trained": "all", "learning_rate": 1e-5}
    factors |= {"weights_as": "constant", "graph_optimizations": True, "device_kind": "cpu"}
    toolchain, workload = TOOLCHAINS["tensorflow"](factors), WORKLOADS["training_step"](factors)
    toolchain.preload()
    if name == NULL:
        run, inputs = toolchain.load(toolchain.null_task()), [np.ones((batch, 1), np.float32)]
    else:
        task = json.loads((folder / f"{name}.{optimizer}.json").read_text())
        task |= {"program": str(folder / f"{name}.{optimizer}.pb"), "seed": 0}
        inputs, run = workload.inputs(task), workload.load(toolchain, task)
    memory.release_free_memory()
    memory.reset_peak()
    for _ in range(STEPS):
        run(*inputs)
    pipe.send((memory.peak_rss_bytes(), toolchain.allocator_peak_bytes()))


def in_process(start, function, *arguments):
    """Return what a function sends from a process of its own, None where it sends nothing."""
    context = multiprocessing.get_context(start)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=function, args=(sender, *arguments))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        return None
    finally:
        process.join()
        if process.exitcode:
            raise SystemExit(f"{function.__name__} failed: {arguments[1:]}")


def exported(pipe, folder, name, optimizers):
    """Export in a process of its own: Keras keeps what it traced."""
    export(folder, name, optimizers)
    pipe.send(json.loads((folder / f"{name}.layers.json").read_text()))


def predicted(network, batch, optimizer):
    """Return what the schedule says of a network: its peak by kind and in all, the allocator's, and its tensors."""
    from perfcast.network.training_allocator import allocator_peak_bytes
    from perfcast.network.training_memory import STATE_COPIES, training_peak, training_tensors

    asked = network["layers"], network["outputs"], batch, optimizer
    peak = training_peak(*asked)
    slots = training_tensors(*asked[:3], "momentum")
    tensors = sum(tensor.kind == "optimizer_state" and tensor.bytes > 0 for tensor in slots)
    return {
        **{kind: count / MB for kind, count in peak.by_kind().items()},
        "at": f"{peak.layer}, {peak.operation}",
        "allocator": allocator_peak_bytes(*asked) / MB,
        "tensors": tensors,
        "slots": tensors * STATE_COPIES[optimizer],
    }


def measure(asked):
    """Measure what the file lacks, in forks of a process that has TensorFlow imported, as the runner does."""
    from perfcast.runner.toolchains import TOOLCHAINS

    TOOLCHAINS["tensorflow"]({"device_kind": "cpu"}).preload()
    known = {(row["network"], row["optimizer"], row["batch"]) for row in rows_of(asked.file)}
    with tempfile.TemporaryDirectory() as folder, asked.file.open("a") as file:
        for name in (NULL, *(asked.network or NETWORKS)):
            wanted = asked.optimizer or OPTIMIZERS
            wanted = [o for o in (wanted[:1] if name == NULL else wanted) if (name, o, asked.batch) not in known]
            if name == NULL and any(row["network"] == NULL for row in rows_of(asked.file)):
                continue
            network = in_process("spawn", exported, Path(folder), name, wanted) if wanted and name != NULL else None
            for optimizer in wanted:
                resident, allocator = in_process("fork", train, Path(folder), name, optimizer, asked.batch)
                row = {"network": name, "optimizer": optimizer, "batch": asked.batch, "resident": resident / MB}
                row |= {"allocator_measured": allocator / MB}
                row |= {"descriptor": network}
                file.write(json.dumps(row) + "\n")
                file.flush()


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def fitted(features, sizes):
    """Return coefficients of least squares of the relative error."""
    return np.linalg.lstsq(features / sizes[:, None], np.ones(len(sizes)), rcond=None)[0]


def show(rows):
    """Print what was measured and predicted, and how far the resident set follows from the allocator's peak."""
    null = next(row["resident"] for row in rows if row["network"] == NULL)
    rows = [row for row in rows if row["network"] != NULL]
    found = [predicted(row["descriptor"], row["batch"], row["optimizer"]) for row in rows]
    chosen = np.array([row["network"] in list(NETWORKS)[:CHOSEN_ON] for row in rows])
    names = np.array([row["network"] for row in rows])
    features = np.array([[1, each["tensors"], each["slots"], each["allocator"]] for each in found])
    resident = np.array([row["resident"] - null for row in rows])
    relation = fitted(features[chosen], resident[chosen])
    errors = {
        "allocator": np.array(
            [each["allocator"] / row["allocator_measured"] for each, row in zip(found, rows, strict=True)]
        )
        - 1,
        "resident set": features @ relation / resident - 1,
    }
    lines(rows, found, resident, errors)
    for what, chunk in errors.items():
        for label, part in (("8 networks that rules were chosen on", chosen), ("the others", ~chosen)):
            summed(f"{what}, {label}", chunk[part])
    print(
        "resident set = {:.0f} MB + {:.2f} per trained tensor + {:.2f} per slot + {:.2f} × allocator".format(*relation)
    )
    left = [features[names == name] @ fitted(features[names != name], resident[names != name]) for name in set(names)]
    true = [resident[names == name] for name in set(names)]
    summed(
        "resident set, each network by a relation fitted to all others", np.concatenate(left) / np.concatenate(true) - 1
    )


def lines(rows, found, resident, errors):
    """Print a line per network: the split with SGD, and each optimizer's measured peaks with the prediction's error."""
    kinds = ("weights", "gradients", "activations", "workspace")
    held = [f"{kind}, MB" for kind in kinds]
    print("| network | peak with SGD in |", *(f"{title} |" for title in (*held, *OPTIMIZERS)))
    print("|---|---|" + "--:|" * (len(held) + len(OPTIMIZERS)))
    for name in dict.fromkeys(row["network"] for row in rows):
        own = {row["optimizer"]: place for place, row in enumerate(rows) if row["network"] == name}
        first = found[min(own.values())]
        cells = [
            f"{rows[own[o]]['allocator_measured']:.0f} ({errors['allocator'][own[o]]:+.0%}), "
            f"{resident[own[o]]:.0f} ({errors['resident set'][own[o]]:+.0%})"
            if o in own
            else ""
            for o in OPTIMIZERS
        ]
        parts = [f"{first[kind]:.0f}" for kind in kinds]
        print("|", " | ".join([name, first["at"], *parts, *cells]), "|")
    print()


def summed(what, errors):
    if len(errors):
        size = np.abs(errors)
        print(
            f"{what}: mean {size.mean():.1%}, worst {size.max():.1%}, within 10%: {(size <= 0.1).sum()} of {len(size)}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--network", action="append", choices=NETWORKS)
    parser.add_argument("--optimizer", action="append", choices=OPTIMIZERS)
    parser.add_argument("--show", action="store_true", help="measure nothing")
    asked = parser.parse_args()
    if not asked.show:
        measure(asked)
    show(rows_of(asked.file))


if __name__ == "__main__":
    main()
