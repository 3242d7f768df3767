"""A text's models, layers and calls, whichever generation of Keras wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from perfcast.errors import SourceError
from perfcast.formats.keras_json.settings import KNOWN, Settings, shown
from perfcast.text import escape_control

_MAX_NAME_LENGTH = 400


@dataclass(frozen=True)
class Reference:
    """A tensor, by what returns it.

    Attributes:
        layer: the layer's name.
        call: which of its calls, counted as the text counts them.
        output: which of the tensors that the call returns.
    """

    layer: str
    call: int
    output: int


@dataclass(frozen=True)
class Constant:
    """A tensor that the text spells out.

    Attributes:
        values: nested lists of numbers.
        dtype: empty where the text does not give it: then that of the other tensors.
    """

    values: Any
    dtype: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        shape, values = [], self.values
        while isinstance(values, list):
            shape.append(len(values))
            values = values[0] if values else 0
        return tuple(shape)


@dataclass(frozen=True)
class CallText:
    """One call of a layer: what stands in the brackets, tensors as references."""

    arguments: tuple[Any, ...]
    options: dict[str, Any]

    def references(self) -> list[Reference]:
        """Return the tensors it reads, in Keras' order: options sorted by name come last."""
        return [item for item in flattened([list(self.arguments), self.options]) if isinstance(item, Reference)]


@dataclass(frozen=True)
class LayerText:
    """One layer.

    Attributes:
        name: unique in its model.
        kind: its class, as the text says it.
        origin: the module that the class is from; empty where the text does not say, as Keras 2 never does.
        values: its configuration.
        calls: its calls, none for those of an input layer.
        identity: shows whether it is the same layer as one of another model.
    """

    name: str
    kind: str
    origin: str
    values: dict[str, Any]
    calls: tuple[CallText, ...]
    identity: int | None = None

    @property
    def is_old(self) -> bool:
        """Whether Keras 2 wrote it."""
        return not self.origin or self.origin.startswith("tf_keras")

    @property
    def is_input(self) -> bool:
        """Whether it is where a tensor enters the model."""
        return self.kind == "InputLayer"

    @property
    def is_model(self) -> bool:
        """Whether it is a model of its own."""
        return isinstance(self.values.get("layers"), list) and self.kind != "Pipeline"

    def settings(self, path: str = "") -> Settings:
        """Return its configuration; messages name it `path`."""
        return Settings(escape_control(path or self.name)[:80], escape_control(self.kind)[:80], self.values)


Step = tuple[str, int]
"""A call: the layer's name, and which of its calls from 0 on."""


@dataclass(frozen=True)
class ModelText:
    """A model, top-level or nested.

    Attributes:
        layers: its layers by name.
        inputs, outputs: the tensors that enter and leave it.
        steps: the calls that lead from inputs to outputs, in the order that Keras runs them, input layers left out.
        skipped: how many calls, before those in the text, the text counts of each nested model.
    """

    layers: dict[str, LayerText]
    inputs: tuple[Reference, ...]
    outputs: tuple[Reference, ...]
    steps: tuple[Step, ...]
    skipped: dict[str, int]

    def step(self, reference: Reference) -> Step:
        """Return the call that returns a tensor."""
        return reference.layer, reference.call - self.skipped.get(reference.layer, 0)

    def call(self, step: Step) -> CallText:
        """Return what stands in the brackets of a call."""
        return self.layers[step[0]].calls[step[1]]


def layer_of(value: Any, owner: str) -> LayerText:
    """Return the layer, without its calls, that a configuration describes.

    Args:
        value: what Keras' `serialize` wrote, with `class_name` and `config`.
        owner: where it stands, for messages.

    Raises:
        SourceError: it is not one.
    """
    if not isinstance(value, dict):
        raise SourceError(f"{owner}: a layer cannot be {shown(value)}")
    kind, values = value.get("class_name"), value.get("config")
    if isinstance(values, list):
        # Before Keras 2.2.3, the configuration of a sequential model was the list of its layers.
        values = {"layers": values}
    if not isinstance(kind, str) or not kind or not isinstance(values, dict):
        raise SourceError(f"{owner}: a layer has no class_name and config: {shown(value)}")
    name = value.get("name") or values.get("name") or kind.lower()
    if not isinstance(name, str) or len(name) > _MAX_NAME_LENGTH:
        raise SourceError(f"{owner}: the name of a layer cannot be {shown(name)}")
    module, registered = value.get("module"), value.get("registered_name")
    if ("module" in value and module is None) or ">" in str(registered) or ">" in kind:
        module = "custom"
    identity = value.get("shared_object_id")
    return LayerText(
        escape_control(name),
        kind.rpartition(">")[2] or kind,
        module if isinstance(module, str) else "",
        values,
        (),
        identity if isinstance(identity, int) else None,
    )


def call_of(node: Any, names: frozenset[str], owner: str) -> CallText:
    """Return one call of a layer.

    Args:
        node: an entry of `inbound_nodes`: a dict since Keras 3, lists of tensors before.
        names: of all layers of the model, which distinguish tensors from other lists.
        owner: the layer in words, for messages.

    Raises:
        SourceError: it is not such an entry.
    """
    if isinstance(node, dict) and isinstance(node.get("args"), list):
        options = node.get("kwargs") or {}
        if not isinstance(options, dict):
            raise SourceError(f"{owner}: 'kwargs' cannot be {shown(options)}")
        return CallText(tuple(map(revived, node["args"])), {key: revived(item) for key, item in options.items()})
    options = {}
    first = _old_tensors(node, names, options, owner)
    if isinstance(first, list) and len(first) == 1:
        first = first[0]
    return CallText((first,), options)


def _old_tensors(node: Any, names: frozenset[str], options: dict[str, Any], owner: str) -> Any:
    """Return the first argument of a call that Keras 2 wrote; its further arguments are added to `options`."""
    if isinstance(node, dict):
        return {key: _old_tensors(item, names, options, owner) for key, item in node.items()}
    if not isinstance(node, list):
        raise SourceError(f"{owner}: 'inbound_nodes' cannot hold {shown(node)}")
    if node and isinstance(node[0], str):
        if len(node) == 4 and isinstance(node[3], dict):
            options |= {key: _old_value(item, names) for key, item in node[3].items()}
        if node[0] == "_CONSTANT_VALUE" and len(node) >= 3:
            return Constant(node[2])
        return _reference(node[:3], owner)
    return [_old_tensors(item, names, options, owner) for item in node]


def _old_value(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        if set(value) == {"start", "stop", "step"}:
            return slice(*(_old_value(value[key], names) for key in ("start", "stop", "step")))
        if value.get("class_name") == "__ellipsis__":
            return ...
        return {key: _old_value(item, names) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) in (3, 4) and isinstance(value[0], str) and value[0] in names and isinstance(value[1], int):
        return _reference(value[:3], "")
    return [_old_value(item, names) for item in value]


def _reference(value: Any, owner: str) -> Reference:
    whole = isinstance(value, list) and len(value) == 3 and all(type(number) is int for number in value[1:])
    if not whole or not isinstance(value[0], str) or min(value[1:]) < 0:
        raise SourceError(f"{owner}: no tensor is {shown(value)}; it must look like ['layer', 0, 0]")
    return Reference(escape_control(value[0]), value[1], value[2])


def revived(value: Any) -> Any:
    """Return an argument that Keras 3 wrote: tensors as references, slices and constants as such.

    Raises:
        SourceError: a tensor is not as one must be.
    """
    if isinstance(value, list):
        return [revived(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind, config = value.get("class_name"), value.get("config")
    if not isinstance(kind, str) or not isinstance(config, dict):
        return {key: revived(item) for key, item in value.items()}
    if kind == "__keras_tensor__":
        return _reference(config.get("keras_history"), "a call")
    if kind == "__slice__":
        return slice(*(revived(config.get(key)) for key in ("start", "stop", "step")))
    if kind == "__ellipsis__":
        return ...
    if kind in ("__tensor__", "__numpy__") and "value" in config:
        dtype = config.get("dtype")
        return Constant(config["value"], dtype if isinstance(dtype, str) and dtype in KNOWN else "")
    return value


def references_of(value: Any, key: str) -> tuple[Reference, ...]:
    """Return the tensors that `input_layers` or `output_layers` list, however they nest.

    Raises:
        SourceError: it lists none, or anything else.
    """
    found = tuple(_ports(value, key))
    if not found:
        raise SourceError(f"{key!r} names no tensor")
    return found


def _ports(value: Any, key: str) -> list[Reference]:
    if isinstance(value, dict):
        return [port for name in sorted(value) for port in _ports(value[name], key)]
    if not isinstance(value, list):
        raise SourceError(f"{key!r} cannot hold {shown(value)}")
    if value and isinstance(value[0], str):
        return [_reference(value[:3], repr(key))]
    return [port for item in value for port in _ports(item, key)]


def flattened(value: Any) -> list[Any]:
    """Return the leaves of nested lists and dicts in Keras' order, dicts sorted by key."""
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in flattened(item)]
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in flattened(value[key])]
    return [value]
