"""The exported graph computes what the model computes, holds no weights, and is the same whoever writes it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from perfcast.errors import UsageError
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.programs import convert
from perfcast.export.stage import build, export_models
from perfcast.features.extract import extract_features
from perfcast.models.spec import ModelSpec

pytestmark = pytest.mark.heavy

SPECS = {
    "mobilenetv2": ModelSpec(
        "mobilenetv2_alpha0.35", "mobilenetv2", "keras_applications", "MobileNetV2", (32, 32, 3), {"alpha": 0.35}
    ),
    "efficientnetb0": ModelSpec("efficientnetb0", "efficientnet", "keras_applications", "EfficientNetB0", (32, 32, 3)),
    "convnexttiny": ModelSpec("convnexttiny", "convnext", "keras_applications", "ConvNeXtTiny", (32, 32, 3)),
}


SMALL = ModelSpec("mlp_1_8", "mlp", "dense", "mlp", (8, 8, 3), {"layers": 1, "units": 8})


@cache
def exported(name):
    """Return what a spec builds, its graph and the graph's interface."""
    built = build(SPECS[name])
    return built, *convert(built, "graph.pb")


def parse(serialized):
    from tensorflow.core.framework import graph_pb2

    return graph_pb2.GraphDef.FromString(serialized)


@pytest.mark.parametrize("name", ["mobilenetv2", "efficientnetb0"])
def test_outputs_equal_those_of_the_original(name):
    import keras
    import tensorflow as tf

    spec = SPECS[name]
    _, serialized, interface = exported(name)
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, spec.builder)(weights=None, input_shape=spec.input_shape, **spec.parameters)
    # Fresh models are degenerate (all means 0, variances 1): move every weight.
    generator = np.random.default_rng(0)
    for variable in model.variables:
        variable.assign(np.asarray(variable) + generator.uniform(0.01, 0.1, variable.shape).astype("float32"))
    batch = generator.random((2, *spec.input_shape), dtype=np.float32)
    feed = {f"weight_{i}:0": np.asarray(v) for i, v in enumerate(model.variables)} | {"input_0:0": batch}
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(parse(serialized), name="")
        known = {tensor: value for tensor, value in feed.items() if tensor[:-2] in _names(graph)}
        with tf.compat.v1.Session(graph=graph) as session:
            outputs = session.run(interface["outputs"][0]["tensor"], known)
    np.testing.assert_allclose(outputs, model(batch, training=False), rtol=1e-4, atol=1e-6)


def _names(graph):
    return {operation.name for operation in graph.get_operations()}


@pytest.mark.parametrize("name", SPECS)
def test_graphs_hold_no_weights(name):
    _, serialized, interface = exported(name)
    graph = parse(serialized)
    weights = [node for node in graph.node if "_weight_distribution" in node.attr]
    assert len(weights) == interface["weights"]
    assert {node.op for node in weights} == {"Placeholder"}
    size = sum(int(np.prod([d.size for d in node.attr["shape"].shape.dim])) for node in weights)
    assert 4 * size == interface["weight_bytes"]
    assert len(serialized) < interface["weight_bytes"] / 10


def test_grouped_convolutions_keep_functions_and_force_xla():
    _, serialized, interface = exported("convnexttiny")
    assert interface["graph_forces_xla"] is True
    functions = [function.signature.name for function in parse(serialized).library.function]
    assert functions == sorted(functions)
    assert functions
    assert exported("mobilenetv2")[2]["graph_forces_xla"] is False


@pytest.mark.parametrize("name", SPECS)
def test_feature_matches_the_graph(name):
    built, _, interface = exported(name)
    assert extract_features(built.descriptor)["graph_forces_xla"] == interface["graph_forces_xla"]


def test_neither_order_nor_process_changes_the_bytes(tmp_path):
    here = export_models(list(SPECS.values()), ArtifactStore(tmp_path / "here"))
    elsewhere = export_models([*reversed(SPECS.values())], ArtifactStore(tmp_path / "elsewhere"), jobs=2)
    assert elsewhere == [*reversed(here)]


def test_a_mistake_in_another_process_is_named(tmp_path):
    unknown = replace(SMALL, builder="no such builder")
    with pytest.raises(UsageError, match="no such builder"):
        export_models([unknown, unknown], ArtifactStore(tmp_path), jobs=2)


def test_a_spec_is_exported_once(tmp_path, monkeypatch):
    store = ArtifactStore(tmp_path)
    (first,) = export_models([SMALL], store)
    monkeypatch.setattr("perfcast.export.stage.build", None)
    (second,) = export_models([SMALL], store)
    assert first == second


@pytest.mark.parametrize("name", ["graph.pb", "model.json"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "delete"])
def test_a_damaged_artifact_is_exported_again(tmp_path, name, damage):
    store = ArtifactStore(tmp_path)
    (first,) = export_models([SMALL], store)
    path = store.location(first.artifact) / (first.programs[0].file if name == "graph.pb" else name)
    sound = path.read_bytes()
    if damage == "truncate":
        path.write_bytes(sound[:-10])
    elif damage == "flip":
        path.write_bytes(bytes([sound[0] ^ 1]) + sound[1:])
    else:
        path.unlink()
    (second,) = export_models([SMALL], store)
    assert second.artifact == first.artifact
    assert path.read_bytes() == sound
