"""From a row of a sheet, or a handle on its own, to the spec of an external model."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from perfcast.errors import UsageError
from perfcast.formats.inputs import parse_input_shapes
from perfcast.models.external.kinds import ENDINGS, FILE, HUB, SOURCES, ending_of, is_address
from perfcast.models.naming import only
from perfcast.models.spec import ModelSpec
from perfcast.storage import digest_of_file, digest_of_json
from perfcast.text import escape_control

if TYPE_CHECKING:
    from perfcast.network.network import Shape

_PARAMETERS = ("name", "family", "weights", "signature", "allow_code")
_WEIGHTS = ("random", "values")
_SIZE = re.compile(r"([0-9]{1,5})(?:x([0-9]{1,5}))?")
_CHANNELS = (1, 3)
_NAMED_PARTS = 3
_MAX_LENGTH = 400


def make_spec(source: str, handle: str, input_size: str, parameters: dict[str, Any]) -> ModelSpec:
    """Return the spec of an external model that a sheet lists, all but the digest of its content.

    Args:
        source: `file` or `tensorflow_hub`.
        handle: a path, relative to the working directory; for `tensorflow_hub` an address too.
        input_size: `224` or `224x160` of an image (height x width), else whole shapes: `1,128` of the only
            input or `NAME=1,224,224,3;MASK=1,10`, batch first.
        parameters: `name` and `family` (default: the handle's own name), `weights` (`random`, or
            `values` to export what was trained), `signature` of a SavedModel, `allow_code` to run code that a
            Keras file carries.

    Raises:
        UsageError: a value is wrong, or the model can be predicted but not measured.
    """
    only(parameters, _PARAMETERS)
    if not handle or len(handle) > _MAX_LENGTH or escape_control(handle) != handle:
        raise UsageError(f"builder {escape_control(handle)[:60]!r} must be the path or address of a model")
    kind = ENDINGS.get(ending_of(handle))
    if kind is not None and kind.unmeasurable:
        raise UsageError(f"{handle}: {kind.unmeasurable}")
    if parameters.get("weights", "random") not in _WEIGHTS:
        raise UsageError(f"parameter 'weights' must be random or values, not {parameters['weights']!r}")
    if not isinstance(parameters.get("allow_code", False), bool):
        raise UsageError(f"parameter 'allow_code' must be true or false, not {parameters['allow_code']!r}")
    shapes = _shapes(input_size)
    name = str(parameters.get("name", name_of(handle)))
    options = {key: value for key, value in parameters.items() if key not in ("name", "family")}
    return ModelSpec(
        name=name,
        family=str(parameters.get("family", name)),
        source=source,
        builder=handle,
        input_shape=_first_shape(shapes),
        parameters=options | {"input_shapes": {key: list(shape) for key, shape in shapes.items()}},
    )


def spec_of(handle: str, input_shape: Shape, parameters: dict[str, Any]) -> ModelSpec:
    """Return the spec that a sheet which lists the handle with these parameters gives its model."""
    name, source = name_of(handle), HUB if is_address(handle) else FILE
    return ModelSpec(name, name, source, handle, input_shape, parameters)


def _shapes(text: str) -> dict[str, Shape]:
    """Return shapes as `resolve_shapes` of perfcast.formats.inputs takes them: `*` stands for an image's size."""
    match = _SIZE.fullmatch(text)
    if match:
        return parse_input_shapes([f"*=1,{match[1]},{match[2] or match[1]}"])
    parts = [part.strip() for part in text.split(";") if part.strip()]
    if not parts:
        raise UsageError("input_size is missing; give it as 224, 224x160 or NAME=1,224,224,3")
    return parse_input_shapes(parts)


def _first_shape(shapes: dict[str, Shape]) -> Shape:
    name, (_, *shape) = next(iter(shapes.items()))
    if name == "*":
        return (*shape, _CHANNELS[-1])
    if len(shape) == 3 and shape[0] in _CHANNELS and shape[2] not in _CHANNELS:
        return (*shape[1:], shape[0])
    return tuple(shape)


def name_of(handle: str) -> str:
    """Return the name that a handle gives a model where the user gives none.

    `mobilenet_v2_100_224_classification_5` of an address that ends so, `mine` of `nets/mine.keras`.
    """
    if is_address(handle):
        parts = [part for part in urlsplit(handle).path.split("/") if part]
        text = "_".join(parts[-_NAMED_PARTS:])
    else:
        text = Path(handle).absolute().name
    return escape_control(text[: len(text) - len(ending_of(text))]) or "model"


def files_of(spec: ModelSpec) -> list[Path]:
    """Return the files that an external model is made of; none of a model at an address or of other sources.

    Raises:
        UsageError: nothing is at its path.
    """
    if spec.source not in SOURCES or is_address(spec.builder):
        return []
    path = Path(spec.builder)
    if path.is_file():
        return [path]
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else []
    if not files:
        raise UsageError(f"{spec.builder}: there is no such file or folder")
    return files


def with_content(spec: ModelSpec) -> ModelSpec:
    """Return the spec with the digest of what its files hold, so that an edited file is another model.

    Raises:
        UsageError: nothing is at its path, or it cannot be read.
    """
    files = files_of(spec)
    if not files:
        return spec
    root = Path(spec.builder)
    try:
        content = {str(file.relative_to(root)): digest_of_file(file) for file in files}
    except OSError as error:
        raise UsageError(f"{spec.builder}: cannot be read ({error.strerror})") from error
    return replace(spec, parameters=spec.parameters | {"content": digest_of_json(content)})
