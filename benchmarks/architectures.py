"""Every architecture of Keras Applications at 224 px: what its export takes, and its flops against the profiler.

python benchmarks/architectures.py
"""

import lzma
import time

import keras
import tensorflow as tf

from perfcast.export.programs import convert
from perfcast.export.stage import build
from perfcast.features.extract import extract_features
from perfcast.models.keras_applications import installed_architectures, make_spec

SHAPE = (224, 224, 3)


def profiled_flops(model, shape):
    """Return what TensorFlow's profiler counts on the inference graph, weights being placeholders."""

    def infer(inputs):
        weights = [tf.compat.v1.placeholder(weight.dtype, weight.shape) for weight in model.variables]
        mapping = list(zip(model.variables, weights, strict=True))
        with keras.StatelessScope(state_mapping=mapping, initialize_variables=False):
            return model(inputs, training=False)

    graph = tf.function(infer, autograph=False).get_concrete_function(tf.TensorSpec((1, *shape))).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation() | {"output": "none"}
    return tf.compat.v1.profiler.profile(graph=graph, options=options).total_float_ops


def main():
    columns = {"weights MB": 11, "graph kB": 10, "xz kB": 8, "export s": 9, "GFLOPs": 9, "/profiler": 10}
    print(f"{'architecture':20}" + "".join(f"{name:>{width}}" for name, width in columns.items()))
    sizes = []
    for builder, function in installed_architectures().items():
        spec = make_spec(builder, SHAPE, {})
        start = time.perf_counter()
        built = build(spec)
        graph, interface = convert(built, "graph.pb")
        seconds = time.perf_counter() - start
        keras.backend.clear_session()
        with keras.StatelessScope(initialize_variables=False):
            model = function(weights=None, input_shape=SHAPE)
        flops = extract_features(built.descriptor)["flops"]
        sizes.append((len(graph), len(lzma.compress(graph)), seconds))
        print(
            f"{builder:20}{interface['weight_bytes'] / 1e6:11.1f}{len(graph) / 1e3:10.1f}"
            f"{sizes[-1][1] / 1e3:8.1f}{seconds:9.2f}{flops / 1e9:9.3f}{flops / profiled_flops(model, SHAPE):10.4f}",
            flush=True,
        )
    raw, packed, seconds = (sum(column) for column in zip(*sizes, strict=True))
    print(f"{len(sizes)} architectures: {raw / 1e6:.1f} MB raw, {packed / 1e6:.2f} MB compressed, {seconds:.0f} s")


if __name__ == "__main__":
    main()
