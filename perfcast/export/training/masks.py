"""What is trained: the weights whose gradients a program computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError

if TYPE_CHECKING:
    import keras

_BIASES = ("bias", "beta")


def trained_variables(model: keras.Model, trained: str) -> list[Any]:
    """Return the weights that are trained, as the factor `trained` names them.

    Args:
        model: any Keras model.
        trained: `all`, `biases`, or `last_<k>`: those of the last k layers that have weights to train.

    Raises:
        SourceError: the model has none.
    """
    if trained == "biases":
        found = [weight for weight in model.trainable_variables if weight.name in _BIASES]
    elif trained == "all":
        found = model.trainable_variables
    else:
        found = _of_last_layers(model, int(trained.removeprefix("last_")))
    if not found:
        raise SourceError(f"it cannot be trained: it has no weights to train ({trained})")
    return found


def _of_last_layers(model: keras.Model, count: int) -> list[Any]:
    trainable = {id(weight) for weight in model.trainable_variables}
    own = ([w for w in layer._trainable_variables if id(w) in trainable] for layer in model._flatten_layers())
    layers = [weights for weights in own if weights]
    if count > len(layers):
        raise SourceError(f"it cannot be trained so: it has {len(layers)} layers with weights, not {count}")
    return [weight for weights in layers[-count:] for weight in weights]
