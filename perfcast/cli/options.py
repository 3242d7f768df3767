"""Arguments and options of commands that ask about models, and the features of what they name."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcast.cli.files import PROJECT_FILE
from perfcast.cli.output import native_libraries_silent
from perfcast.errors import PerfcastError
from perfcast.formats.inputs import parse_input_shapes
from perfcast.project_files import all_sheets

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from perfcast.export.exports import Export
    from perfcast.sources import Library

_STORE = Path("results/store")

_OPTIONS = (
    click.argument("sources", metavar="SOURCE...", nargs=-1, required=True),
    click.option(
        "--input-shape",
        "input_shapes",
        metavar="[NAME=]1,224,224,3",
        multiple=True,
        help="Shape of an input, batch first, if the file leaves it open; can be repeated.",
    ),
    click.option("--signature", default="serving_default", show_default=True, help="Signature of a SavedModel."),
    click.option(
        "--allow-code",
        is_flag=True,
        help="Run code inside a Keras file, such as a Lambda layer: only for files you trust.",
    ),
    click.option(
        "--sheet",
        "sheets",
        type=PROJECT_FILE,
        multiple=True,
        help="Sheet of models to look names up in; can be repeated.  [default: all in config/models]",
    ),
    click.option(
        "--store",
        type=click.Path(file_okay=False, path_type=Path),
        help="Store of exported models; those in it are not built again.  [default: the workflow's]",
    ),
)


@dataclass(frozen=True)
class Request:
    """Models that a user asks about.

    Attributes:
        sources: as written.
        input_shapes: as written.
        signature, allow_code: see `perfcast.models.external.options.ReadOptions`.
        sheets: where names are looked up; none for those of config/models.
        store: artifacts exported before; None for the workflow's own.
    """

    sources: tuple[str, ...]
    input_shapes: tuple[str, ...]
    signature: str
    allow_code: bool
    sheets: tuple[Path, ...]
    store: Path | None

    def features(self) -> tuple[pd.DataFrame, list[PerfcastError]]:
        """Return the features of all sources that can be read, in order, and why the rest cannot be.

        Raises:
            UsageError: an input shape is malformed.
        """
        shapes = parse_input_shapes(self.input_shapes)
        from perfcast.features.table import features_table
        from perfcast.models.external.options import ReadOptions
        from perfcast.sources import describe_sources

        options = ReadOptions(shapes, self.signature, self.allow_code)
        with native_libraries_silent():
            described = describe_sources(self.sources, self._library(self.store or _STORE), options)
            return features_table(described.descriptors), described.failures

    def exports(
        self, store: Path, sheets: tuple[Path, ...], formats: tuple[str, ...]
    ) -> tuple[list[Export], list[PerfcastError]]:
        """Return the exports of all sources that can be measured, each once in order, and why the rest cannot be.

        Args:
            store: where they go, and where those made before are found.
            sheets: that are looked in first.
            formats: of programs that are wanted besides those that every model has.

        Raises:
            UsageError: an input shape is malformed.
        """
        shapes = parse_input_shapes(self.input_shapes)
        from perfcast.models.external.options import ReadOptions
        from perfcast.sources import export_source

        options = ReadOptions(shapes, self.signature, self.allow_code)
        exports, failures = [], []
        with native_libraries_silent():
            for source in self.sources:
                try:
                    exports.append(export_source(source, self._library(store, sheets), options, formats))
                except PerfcastError as error:
                    failures.append(error)
        return list({export.artifact: export for export in exports}.values()), failures

    def _library(self, store: Path, first: tuple[Path, ...] = ()) -> Library:
        from perfcast.export.artifacts import ArtifactStore
        from perfcast.sources import Library

        default = tuple(dict.fromkeys((*first, *all_sheets())))
        return Library(self.sheets or default, ArtifactStore(store))


def source_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the arguments that name models; it gets them as its first argument, a `Request`."""

    @functools.wraps(command)
    def gathered(**values: Any) -> None:
        names = Request.__dataclass_fields__
        request = Request(**{name: values.pop(name) for name in names})
        command(request, **values)

    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered
