"""What a configuration may name before Keras is let near its file: the first lock; Keras' `safe_mode` is the second.

Keras resolves names that a file gives to classes and functions, imports modules for it and calls what it finds.
`safe_mode`, which is to keep that harmless, was bypassed twice: by naming modules of others (CVE-2025-1550), and
functions of Keras that download or unlock (CVE-2025-8747). So only names are let through that networks consist of.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROOMS = (
    "activations applications constraints dtype_policies engine initializers layers losses metrics models ops "
    "optimizers quantizers random regularizers"
)
_MODULE = re.compile(rf"keras(\.src)?(\._?legacy)?(\.({_ROOMS.replace(' ', '|')})(\.[a-z][a-z0-9_]*)*)?")
_CLASS = re.compile(r"[A-Z][A-Za-z0-9_]*")
# Where Keras looks for functions that it knows by name alone, among others.
_OF_FUNCTIONS = ("builtins", "keras.activations", "keras.losses", "keras.metrics")
_ACTIVATIONS = (
    "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear "
    "log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus "
    "sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold"
)
_DATA = ("__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__", "__tuple__")
# What Keras itself calls unsafe: it runs, or unpacks, what the file brought along.
_CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
_OLD = ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty", "TensorFlowOpLayer")
_NONE = "which is not part of Keras"
_SHOWN = 80


def code_in(document: Any) -> str | None:
    """Return, in words, the first thing in a configuration that is code; None if there is none.

    Args:
        document: the parsed configuration of a model.
    """
    return _first(document, _code)


def refusal_of(document: Any) -> str | None:
    """Return, in words, the first thing in a configuration that Keras cannot or must not load; None if there is none.

    What says how the model was trained is skipped: Keras is asked not to read it. That of a model nested in it Keras
    reads nevertheless.

    Args:
        document: the parsed configuration of a model.
    """
    if isinstance(document, dict):
        document = {key: item for key, item in document.items() if key != "compile_config"}
    return _first(document, _refused)


def _first(document: Any, reason_of: Callable[[dict[str, Any], bool], str | None]) -> str | None:
    for owner, value, of_training in _named(document):
        reason = reason_of(value, of_training)
        if reason is not None:
            return f"{owner} {reason}"
    return None


def _named(document: Any) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield each mapping in a configuration, outermost first, with the layer it is in and whether it is of training."""
    waiting = [("the model", document, False)]
    while waiting:
        owner, value, of_training = waiting.pop()
        if isinstance(value, list):
            waiting += [(owner, item, of_training) for item in reversed(value)]
        if not isinstance(value, dict):
            continue
        owner = _owner(owner, value)
        yield owner, value, of_training
        waiting += [
            (owner, item, of_training or key == "compile_config") for key, item in reversed(list(value.items()))
        ]


def _owner(owner: str, value: dict[str, Any]) -> str:
    """Return what stands for a configuration in messages: its own name, or that of the layer that it is in."""
    config = value.get("config")
    name = value.get("name") or (config.get("name") if isinstance(config, dict) else None)
    if not isinstance(name, str) or not isinstance(value.get("class_name"), str) or not isinstance(config, dict):
        return owner
    return f"layer {_shown(name)!r}"


def _shown(name: object) -> str:
    return escape_control(str(name))[:_SHOWN]


def _code(value: dict[str, Any], of_training: bool) -> str | None:
    if is_lambda(value):
        return "has a lambda, which is code"
    kind = value.get("class_name")
    if kind in _CODE and isinstance(value.get("config"), dict):
        return f"is a {kind}, which is code"
    return None


def is_lambda(value: Any) -> bool:
    """Tell whether a value is code that Keras packed: that of a lambda, as an activation may be one."""
    if not isinstance(value, dict):
        return False
    return value.get("class_name") == "__lambda__" or (set(value) == {"value"} and _is_packed(value["value"]))


def _is_packed(value: Any) -> bool:
    """Tell whether a value is code, defaults and closure; constants and references to tensors look much alike."""
    is_triple = isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)
    return is_triple and all(item is None or isinstance(item, list) for item in value[1:])


def _refused(value: dict[str, Any], of_training: bool) -> str | None:
    code, kind, config = _code(value, of_training), value.get("class_name"), value.get("config")
    if code is not None or not isinstance(kind, str):
        return code
    if kind == "function":
        return _refused_function(value, of_training)
    if kind.startswith("__") and kind not in _DATA:
        return f"has the unknown value {_shown(kind)!r}"
    if kind.startswith("__") or not isinstance(config, dict | list):
        return None
    if _is_foreign(value):
        word = "layer" if "inbound_nodes" in value or (isinstance(config, dict) and "name" in config) else ""
        return f"is a {_shown(kind)}, which is not a {word} of Keras" if word else f"has {_shown(kind)}, {_NONE}"
    return f"is a {kind}, which only Keras 2 has" if kind in _OLD else None


def _refused_function(value: dict[str, Any], of_training: bool) -> str | None:
    name, module = value.get("config"), value.get("module", "builtins")
    known = isinstance(name, str) and (name in _ACTIVATIONS.split() or (of_training and name.isidentifier()))
    if known and module in _OF_FUNCTIONS and ">" not in str(value.get("registered_name")):
        return None
    return f"has the function {_shown(name)!r}, {_NONE}"


def _is_foreign(value: dict[str, Any]) -> bool:
    """Say whether a class is not one of Keras's layers; what Keras 2 wrote has no module."""
    if ">" in str(value.get("registered_name")) or not _CLASS.fullmatch(value["class_name"]):
        return True
    module = value.get("module", "")
    return bool(module != "" and not (isinstance(module, str) and _MODULE.fullmatch(module)))
