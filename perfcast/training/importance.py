"""Layers by importance: how much the loss depends on each of their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.bench.training_runs import Weights, give, keras_model

if TYPE_CHECKING:
    from perfcast.models.spec import ModelSpec

_PROBED = 64
"""Examples of a probe."""


def layers_by_importance(spec: ModelSpec, weights: Weights, images: np.ndarray, labels: np.ndarray) -> list[str]:
    """Return the names of layers with weights, the most important first.

    A layer is as important as the mean over its parameters of the squared gradient of the loss, example by example:
    the diagonal of the empirical Fisher information. All examples are ones that are trained on.
    """
    import tensorflow as tf

    model = keras_model(spec)
    give(model, weights)
    gradients_of = tf.function(lambda image, label: _gradients(model, image, label))
    sums = [np.zeros(weight.shape) for weight in model.trainable_variables]
    for place in range(min(_PROBED, len(labels))):
        found = gradients_of(images[place : place + 1], labels[place : place + 1])
        sums = [total + np.square(gradient) for total, gradient in zip(sums, found, strict=True)]
    squared = {id(weight): total for weight, total in zip(model.trainable_variables, sums, strict=True)}
    scores = {
        layer.name: np.mean(np.concatenate([squared[id(weight)].ravel() for weight in layer.trainable_variables]))
        for layer in model.layers
        if layer.trainable_variables
    }
    return sorted(scores, key=lambda name: -scores[name])


def _gradients(model: Any, image: Any, label: Any) -> list[Any]:
    import keras
    import tensorflow as tf

    weights = [weight.value for weight in model.trainable_variables]
    with tf.GradientTape() as tape:
        outputs = model(image, training=False)
        loss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(label, outputs))
    return [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, weights)]
