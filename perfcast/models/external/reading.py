"""External models, from a handle or a sheet's row to what is exported."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError, naming
from perfcast.models.external.kinds import kind_of
from perfcast.models.external.options import ReadOptions
from perfcast.models.external.spec import spec_of, with_content

if TYPE_CHECKING:
    from perfcast.models.built import BuiltModel
    from perfcast.models.external.kinds import Kind
    from perfcast.models.spec import ModelSpec


def describe_external(kind: Kind, handle: str, options: ReadOptions) -> dict[str, Any]:
    """Return the descriptor of an external model, which bears the handle's own name unless it has one.

    Raises:
        UsageError: it is missing, or its inputs need shapes.
        SourceError: it cannot be read.
    """
    read = kind.read(handle, options)
    if "model" in read.descriptor:
        return read.descriptor
    return read.named(spec_of(handle, tuple(read.descriptor["input_shape"]), {})).descriptor


def export_external(kind: Kind, handle: str, options: ReadOptions) -> tuple[ModelSpec, BuiltModel]:
    """Return the spec of an external model that no sheet lists, and the model.

    Raises:
        UsageError: it is missing, of a kind that no toolchain runs, or its inputs need shapes.
        SourceError: it cannot be read.
    """
    read = kind.read(handle, replace(options, to_run=True))
    spec = with_content(spec_of(handle, tuple(read.descriptor["input_shape"]), options.to_parameters()))
    return spec, read.named(spec)


def build_external(spec: ModelSpec) -> BuiltModel:
    """Return an external model that a sheet lists.

    Raises:
        UsageError: it is missing, or its inputs have other shapes than the sheet says.
        SourceError: it cannot be read. Both are one line that names its path or address.
    """
    options = replace(ReadOptions.from_parameters(spec.parameters), to_run=True)
    with naming(spec.builder):
        kind = kind_of(spec.builder, spec.source)
        if kind is None:
            raise UsageError("there is no such file or folder")
        return kind.read(spec.builder, options).named(spec)
