"""The collect stage: a configuration's sheets and random networks in, model specs out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError
from perfcast.models.external.spec import with_content
from perfcast.models.sheet import read_sheet
from perfcast.models.synthetic import SyntheticRequest, draw

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from perfcast.models.spec import ModelSpec


@dataclass(frozen=True)
class Collection:
    """The models of a campaign.

    Attributes:
        specs: each model once, sorted by name.
        discarded: random combinations that were discarded, as impossible or over budget.
    """

    specs: tuple[ModelSpec, ...]
    discarded: int

    @property
    def summary(self) -> str:
        """How many there are, as a line of a log."""
        return f"{len(self.specs)} models; {self.discarded} random combinations discarded\n"


def collect(sheets: Iterable[Path], synthetic: dict[str, Any] | None) -> Collection:
    """Return the models that sheets list and that a request for random networks draws.

    Raises:
        UsageError: a sheet or the request is wrong, or two models share a name and nothing else.
    """
    found: dict[str, tuple[ModelSpec, Path | str]] = {}
    for sheet in sheets:
        for spec in read_sheet(sheet):
            _add(found, _with_content(spec, sheet), sheet)
    discarded = 0
    if synthetic:
        try:
            drawn = draw(SyntheticRequest(**synthetic))
        except UsageError as error:
            raise UsageError(f"models.synthetic: {error}") from error
        discarded = drawn.discarded
        for spec in drawn.specs:
            _add(found, spec, "models.synthetic")
    if not found:
        raise UsageError("models: no sheet lists a model and none is drawn; name a sheet in models.sheets")
    return Collection(tuple(found[name][0] for name in sorted(found)), discarded)


def _with_content(spec: ModelSpec, sheet: Path) -> ModelSpec:
    try:
        return with_content(spec)
    except UsageError as error:
        raise UsageError(f"{sheet}: {error}") from error


def _add(found: dict[str, tuple[ModelSpec, Path | str]], spec: ModelSpec, origin: Path | str) -> None:
    known, where = found.setdefault(spec.model, (spec, origin))
    if known != spec:
        raise UsageError(f"{origin}: {spec.model} differs from the model of the same name in {where}; remove one")
