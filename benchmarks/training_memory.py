"""The peak of training steps, predicted from layers alone and measured: networks by optimizers.

    python benchmarks/training_memory.py [--batch 32] [--network NAME]... [--optimizer NAME]... [--split]

Each measurement is a process of its own that builds a network and trains five steps with Keras on random data.
Measured is the peak of its resident set, less that of a process that trains a network of one weight. `--split` prints
what the memory of each network is used for, and which layer runs at the peak.
"""

import argparse
import resource
import subprocess
import sys

STEPS = 5
MB = 1e6
NETWORKS = {
    "vgg16_64": ("VGG16", 64, {}),
    "vgg19_48": ("VGG19", 48, {}),
    "resnet50_64": ("ResNet50", 64, {}),
    "resnet101_64": ("ResNet101", 64, {}),
    "resnet50v2_64": ("ResNet50V2", 64, {}),
    "resnet50_96": ("ResNet50", 96, {}),
    "mobilenet_128": ("MobileNet", 128, {}),
    "mobilenet_025_160": ("MobileNet", 160, {"alpha": 0.25}),
    "mobilenet_050_224": ("MobileNet", 224, {"alpha": 0.5}),
    "mobilenetv2_96": ("MobileNetV2", 96, {}),
    "mobilenetv2_035_160": ("MobileNetV2", 160, {"alpha": 0.35}),
    "mobilenetv2_160": ("MobileNetV2", 160, {}),
    "mobilenetv3small_128": ("MobileNetV3Small", 128, {}),
    "mobilenetv3large_96": ("MobileNetV3Large", 96, {}),
    "densenet121_64": ("DenseNet121", 64, {}),
    "densenet169_64": ("DenseNet169", 64, {}),
    "efficientnetb0_96": ("EfficientNetB0", 96, {}),
    "efficientnetv2b0_96": ("EfficientNetV2B0", 96, {}),
    "xception_96": ("Xception", 96, {}),
    "inceptionv3_96": ("InceptionV3", 96, {}),
}
"""Class of Keras Applications, pixels and further arguments, by name."""


def build(name):
    """Return a network, without pretrained weights; one of a single weight for `null`."""
    import keras

    if name == "null":
        return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    kind, pixels, more = NETWORKS[name]
    shape = (pixels, pixels, 3)
    return getattr(keras.applications, kind)(weights=None, input_shape=shape, classes=10, **more)


def train(name, batch, optimizer):
    """Train some steps and print the peak of this process, in bytes."""
    import keras
    import numpy as np

    optimizers = {
        "sgd": keras.optimizers.SGD(1e-4),
        "momentum": keras.optimizers.SGD(1e-4, momentum=0.9),
        "adam": keras.optimizers.Adam(1e-4),
        "adagrad": keras.optimizers.Adagrad(1e-4),
    }
    model = build(name)
    model.compile(optimizer=optimizers[optimizer], loss="mse", jit_compile=False)
    inputs = np.random.default_rng(0).random((batch, *model.input_shape[1:]), dtype=np.float32)
    targets = np.zeros((batch, *model.output_shape[1:]), np.float32)
    for _ in range(STEPS):
        model.train_on_batch(inputs, targets)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def measured(name, batch, optimizer):
    """Return the peak of a process that trains, in bytes."""
    command = [sys.executable, __file__, "--child", name, "--batch", str(batch), "--optimizer", optimizer]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def layers_of(name):
    """Return the layers and the names of the outputs of a network's descriptor."""
    from perfcast.formats.keras_json.live import network_of_live

    model = build(name)
    descriptor = network_of_live(model, {"": (1, *model.input_shape[1:])}).descriptor()
    return descriptor["layers"], {port["name"] for port in descriptor["outputs"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--network", action="append", choices=NETWORKS)
    parser.add_argument("--optimizer", action="append", choices=["sgd", "momentum", "adam", "adagrad"])
    parser.add_argument("--split", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        train(asked.child, asked.batch, asked.optimizer[0])
        return
    show(asked)


def show(asked):
    """Print a line per network and optimizer."""
    import numpy as np

    from perfcast.network.training_memory import STATE_COPIES, training_peak

    null = measured("null", asked.batch, "sgd")
    print(f"batch {asked.batch}; null model: {null / MB:.0f} MB\n")
    print("| network | optimizer | measured, MB | predicted, MB | error |")
    print("|---|---|---|---|---|")
    errors = []
    for name in asked.network or NETWORKS:
        layers, outputs = layers_of(name)
        for optimizer in asked.optimizer or STATE_COPIES:
            peak = training_peak(layers, outputs, asked.batch, optimizer)
            used = measured(name, asked.batch, optimizer) - null
            errors.append(peak.bytes / used - 1)
            print(f"| {name} | {optimizer} | {used / MB:.0f} | {peak.bytes / MB:.0f} | {errors[-1]:+.1%} |", flush=True)
            if asked.split:
                parts = ", ".join(f"{kind} {count / MB:.0f}" for kind, count in peak.by_kind().items())
                print(f"  {parts}; peak in {peak.layer}, {peak.operation}")
    size = np.abs(errors)
    print(f"\nmean {size.mean():.1%}, median {np.median(size):.1%}; within 10%: {(size <= 0.1).sum()} of {len(size)}")


if __name__ == "__main__":
    main()
