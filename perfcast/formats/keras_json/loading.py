"""What keeps Keras from loading an archive without running code that came with it: found in its configuration."""

from __future__ import annotations

from typing import Any

from perfcast.text import escape_control

_ROOTS = ("keras", "builtins")
# What Keras itself calls unsafe: it runs, or unpacks, what the file brought along.
_CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
_OLD = ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty", "TensorFlowOpLayer")
# What Keras does not need to build the network.
_LEFT_OUT = ("compile_config", "build_config", "shared_object_id")


def unsafe_or_unknown(document: Any) -> str | None:
    """Return, in words, the first thing in a configuration that Keras cannot or must not load; None if there is none.

    Args:
        document: the parsed `config.json` of a `.keras` archive.
    """
    waiting = [("the model", document)]
    while waiting:
        owner, value = waiting.pop()
        if isinstance(value, list):
            waiting += [(owner, item) for item in reversed(value)]
        if not isinstance(value, dict):
            continue
        owner = _owner(owner, value)
        reason = _reason(value)
        if reason is not None:
            return f"{owner} {reason}"
        waiting += [(owner, item) for key, item in reversed(value.items()) if key not in _LEFT_OUT]
    return None


def _owner(owner: str, value: dict[str, Any]) -> str:
    """Return what stands for a configuration in messages: its own name, or that of the layer that it is in."""
    config = value.get("config")
    name = value.get("name") or (config.get("name") if isinstance(config, dict) else None)
    if not isinstance(name, str) or not isinstance(value.get("class_name"), str) or not isinstance(config, dict):
        return owner
    return f"layer {escape_control(name)[:80]!r}"


def _reason(value: dict[str, Any]) -> str | None:
    kind, config, module = value.get("class_name"), value.get("config"), value.get("module", "")
    if not isinstance(kind, str):
        return "has a lambda, which is code" if is_lambda(value) else None
    shown = escape_control(kind)[:80]
    if kind == "__lambda__":
        return "has a lambda, which is code"
    if kind == "function":
        return f"has the function {escape_control(str(config))[:80]!r}, which is none of Keras"
    if not isinstance(config, dict | list) or kind.startswith("__"):
        return None
    if _is_foreign(module, value.get("registered_name")):
        return (
            f"is a {shown}, which is no layer of Keras" if _is_layer(value) else f"has {shown}, which is none of Keras"
        )
    if kind in _CODE:
        return f"is a {shown}, which is code"
    return f"is a {shown}, which only Keras 2 has" if kind in _OLD else None


def is_lambda(value: Any) -> bool:
    """Tell whether a value is code that Keras packed: that of a lambda, as an activation may be one."""
    if not isinstance(value, dict):
        return False
    code = value.get("value")
    return value.get("class_name") == "__lambda__" or (set(value) == {"value"} and isinstance(code, list))


def _is_foreign(module: Any, registered: Any) -> bool:
    if ">" in str(registered):
        return True
    return module is None or (isinstance(module, str) and bool(module) and module.split(".")[0] not in _ROOTS)


def _is_layer(value: dict[str, Any]) -> bool:
    config = value["config"]
    return "inbound_nodes" in value or (isinstance(config, dict) and "name" in config)
