"""The activation function that a layer ends in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.formats.keras_json.safety import is_lambda
from perfcast.network.layer_types import activation_name

if TYPE_CHECKING:
    from perfcast.formats.keras_json.settings import Settings


def activation_of(settings: Settings, default: str = "linear") -> str:
    """Return the name of the activation function in a configuration, `default` where there is none.

    The text gives a function's name, or a dict of its class and configuration: that of a function that Keras does
    not know has the class `function` and the name as configuration, or as `name` in it. The code of a lambda, which
    stays packed, is called `lambda`.

    Raises:
        SourceError: it is anything else.
    """
    value = settings.get("activation", default)
    for _ in range(3):
        if is_lambda(value):
            return "lambda"
        if not isinstance(value, dict):
            break
        config, kind = value.get("config"), value.get("class_name")
        is_function = kind in ("function", "Activation", None)
        if isinstance(config, dict) and is_function:
            config = config.get("name") if kind is None else config.get("activation", config.get("name"))
        value = config if is_function else kind
    if not isinstance(value, str) or not value:
        settings.refuse("activation")
    return activation_name(value.rpartition(">")[2] or value)
