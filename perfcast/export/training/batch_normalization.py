"""Batch normalisation as frameworks train it on a device: one fused operation instead of Keras 3's six."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import keras

_IMAGES = 4


@contextlib.contextmanager
def as_trained(model: keras.Model, trained: Collection[Any]) -> Iterator[None]:
    """Have batch normalisations inside normalise by the batch in one operation; of frozen layers by moving averages.

    A layer is frozen where none of its weights is in ``trained``, as in Keras. What is not an image, or masked, is
    left to Keras.
    """
    import keras

    known = {id(weight) for weight in trained}
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    try:
        for layer in layers:
            is_trained = any(id(weight) in known for weight in layer.trainable_variables)
            layer.call = functools.partial(_normalise if is_trained else _normalise_frozen, layer)
        yield
    finally:
        for layer in layers:
            del layer.call


def _normalise_frozen(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    return type(layer).call(layer, inputs, training=False, mask=mask)


def _normalise(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    is_plain = layer.axis in (-1, _IMAGES - 1) and mask is None and not getattr(layer, "renorm", False)
    if len(inputs.shape) != _IMAGES or not is_plain or inputs.dtype.name != "float32":
        return type(layer).call(layer, inputs, training=training, mask=mask)
    import tensorflow as tf

    channels = inputs.shape[-1]
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones([channels]),
        offset=tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros([channels]),
        mean=tf.zeros([0]),
        variance=tf.zeros([0]),
        epsilon=layer.epsilon,
        is_training=True,
    )
    for average, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        average.assign(average * layer.momentum + value * (1.0 - layer.momentum))
    return outputs
