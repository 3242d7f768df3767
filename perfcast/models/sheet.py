"""Sheets of models: CSV files that list which networks to take, at which input sizes.

Read while a workflow's DAG is parsed, hence without pandas and TensorFlow.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError
from perfcast.models.build import SOURCES, catalogue
from perfcast.models.external.kinds import SOURCES as EXTERNAL
from perfcast.models.external.spec import make_spec as make_external_spec
from perfcast.models.naming import format_value, parse_value

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from perfcast.models.spec import ModelSpec

COLUMNS = ("source", "builder", "input_size", "parameters")
"""The sheet's columns; `parameters` may be left empty."""

_CHANNELS = 3
_MAX_PIXELS = 10_000
_SIZE = re.compile(r"([0-9]{1,5})(?:x([0-9]{1,5}))?")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")


def read_sheet(path: str | os.PathLike[str]) -> list[ModelSpec]:
    """Return the models that the sheet at `path` lists, in its order; blank lines are skipped.

    Raises:
        UsageError: the sheet cannot be read, or a row is wrong; one line that names file and row.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: the sheet of models cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: the sheet of models is not UTF-8 text; save it as UTF-8") from error
    return parse_sheet(text, str(path))


def parse_sheet(text: str, name: str) -> list[ModelSpec]:
    """Return the models that the sheet `text` lists; `name` stands for it in errors.

    Raises:
        UsageError: as `read_sheet`.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    specs: dict[str, ModelSpec] = {}
    header: list[str] | None = None
    try:
        for cells in reader:
            row = [cell.strip() for cell in cells]
            if not any(row):
                continue
            if header is None:
                header = _check_header(row)
                continue
            spec = _spec_of(header, row)
            if spec.model in specs:
                raise UsageError(f"model {spec.model} is listed twice; remove one row")
            specs[spec.model] = spec
    except (UsageError, csv.Error) as error:
        raise UsageError(f"{name}, row {reader.line_num}: {error}") from error
    if header is None:
        raise UsageError(f"{name}: the sheet is empty; its first row must be {','.join(COLUMNS)}")
    return list(specs.values())


def _check_header(row: list[str]) -> list[str]:
    if sorted(row) != sorted(COLUMNS):
        raise UsageError(f"the columns, with commas between, must be {','.join(COLUMNS)}, not {','.join(row)[:100]!r}")
    return row


def _spec_of(header: list[str], row: list[str]) -> ModelSpec:
    if len(row) != len(header):
        raise UsageError(f"has {len(row)} cells; it needs {len(header)}: {','.join(COLUMNS)}")
    cells = dict(zip(header, row, strict=True))
    source, parameters = cells["source"], parse_parameters(cells["parameters"])
    if source in EXTERNAL:
        return make_external_spec(source, cells["builder"], cells["input_size"], parameters)
    if source not in SOURCES:
        known = ", ".join((*SOURCES, *EXTERNAL))
        raise UsageError(f"source {source[:40]!r} does not exist; there are {known}")
    spec: ModelSpec = catalogue(source).make_spec(cells["builder"], parse_input_size(cells["input_size"]), parameters)
    return spec


def parse_input_size(text: str) -> tuple[int, int, int]:
    """Return height, width and channels of `224` or `224x160` (height x width).

    Raises:
        UsageError: it is neither, or not from 1 to 10,000 pixels.
    """
    match = _SIZE.fullmatch(text)
    if match:
        height = int(match[1])
        width = int(match[2] or height)
        if 1 <= height <= _MAX_PIXELS and 1 <= width <= _MAX_PIXELS:
            return height, width, _CHANNELS
    raise UsageError(f"input_size {text[:40]!r} must look like 224 or 224x160, from 1 to {_MAX_PIXELS} pixels")


def parse_parameters(text: str) -> dict[str, Any]:
    """Return the parameters written as `alpha=0.25;minimalistic=true`.

    Raises:
        UsageError: a part is not `key=value`, or a key comes twice.
    """
    parameters: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not _KEY.fullmatch(key):
            raise UsageError(f"parameters {text[:60]!r} must look like alpha=0.25;minimalistic=true")
        if key in parameters:
            raise UsageError(f"parameter {key!r} is given twice; remove one")
        parameters[key] = parse_value(value)
    return parameters


def format_sheet(specs: Iterable[ModelSpec]) -> str:
    """Return the text of the sheet that `read_sheet` reads back to the same specs.

    Raises:
        UsageError: a spec is of an external model, which no catalogue lists.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for spec in specs:
        if spec.source in EXTERNAL:
            raise UsageError(f"{spec.model}: only the rows of catalogues can be written")
        parameters = ";".join(f"{key}={format_value(value)}" for key, value in spec.parameters.items())
        writer.writerow([spec.source, spec.builder, spec.size, parameters])
    return out.getvalue()
