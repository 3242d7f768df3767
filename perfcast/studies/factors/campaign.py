"""The combinations to test next as files: a table of them, and what the workflow needs to measure them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from perfcast.factors import ASKED, factor_named
from perfcast.storage import write_table, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from perfcast.studies.factors.gaps import Coverage, Gap
    from perfcast.studies.factors.roles import Roles

TABLE, CONFIG, SHEET, TARGET = "combinations.csv", "config.yaml", "models.csv", "gaps"
_NOT_SET = "not set"
_SHEET_COLUMNS = ("source", "builder", "input_size", "parameters")


def combinations_table(gaps: Sequence[Gap]) -> pd.DataFrame:
    """Return the combinations to test, the one that tells most first: one row per combination."""
    rows = [{**{name: _plain(level) for name, level in gap.levels.items()}, "bits": round(gap.bits, 3)} for gap in gaps]
    return pd.DataFrame(rows)


def write_campaign(folder: Path, coverage: Coverage, roles: Roles, own: pd.DataFrame | None) -> dict[str, Path]:
    """Write what to test next into a folder, and return the files by what they are.

    There is always a table of the combinations. For datasets of perfcast whose missing combinations are of models and
    of factors that a target can set, there is also what the workflow runs:
    `snakemake --profile profiles/local --configfile FOLDER/config.yaml`.

    Args:
        folder: made where it is missing.
        coverage: with the combinations.
        roles: of the columns.
        own: the rows of perfcast's datasets; None for tables from elsewhere.

    Raises:
        StoreError: the folder cannot be written.
    """
    files = {"combinations": folder / TABLE}
    write_table(files["combinations"], combinations_table(coverage.gaps))
    if own is None or not coverage.gaps or not _can_be_asked(coverage, roles):
        return files
    models = list(dict.fromkeys(str(gap.levels[roles.network]) for gap in coverage.gaps))
    sheet = _sheet(own, models)
    if sheet is None:
        return files
    files |= {"sheet": folder / SHEET, "target": folder / f"{TARGET}.yaml", "configuration": folder / CONFIG}
    write_table(files["sheet"], sheet)
    write_text(files["target"], _yaml(_target(own, coverage, roles)))
    sheets = {"sheets": [str(files["sheet"])], "synthetic": None}
    write_text(files["configuration"], _yaml({"target": TARGET, "targets": str(folder), "models": sheets}))
    return files


def _can_be_asked(coverage: Coverage, roles: Roles) -> bool:
    asked = {factor.name for factor in ASKED}
    return roles.network == "model" and all(name in asked for name in coverage.factors if name != roles.network)


def _sheet(own: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame | None:
    """Return the models as a sheet, None where a dataset does not say how one was made."""
    if not {"source", "name", "input_size"} <= set(own):
        return None
    rows = own.drop_duplicates("model").set_index("model").loc[list(models)]
    builders = [_builder(row) for _, row in rows.iterrows()]
    if any(builder is None for builder in builders):
        return None
    return pd.DataFrame([builder for builder in builders if builder], columns=list(_SHEET_COLUMNS))


def _builder(row: pd.Series) -> dict[str, Any] | None:
    """Return the line of a sheet that makes a model again; None for one that a dataset does not describe."""
    from perfcast.models.sheet_rows import sheet_row

    return sheet_row(str(row["source"]), str(row["name"]), str(row["input_size"]))


def _target(own: pd.DataFrame, coverage: Coverage, roles: Roles) -> dict[str, Any]:
    """Return the description of the target: what was the same stays, what varies is listed, the rest excluded."""
    varied = [name for name in coverage.factors if name != roles.network]
    wanted = list(dict.fromkeys(tuple(_value(name, gap.levels[name]) for name in varied) for gap in coverage.gaps))
    vary = {name: list(dict.fromkeys(row[place] for row in wanted)) for place, name in enumerate(varied)}
    exclude = [dict(zip(varied, row, strict=True)) for row in _others(vary, wanted)]
    return {
        "extends": "PLACE",
        "description": "combinations that a study of factors found missing",
        "factors": {"fixed": _fixed(own, varied), "vary": vary, "exclude": exclude},
    }


def _others(vary: dict[str, list[Any]], wanted: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    import itertools

    return [row for row in itertools.product(*vary.values()) if row not in wanted]


def _fixed(own: pd.DataFrame, varied: Sequence[str]) -> dict[str, Any]:
    constant = [factor.name for factor in ASKED if factor.name in own and factor.name not in varied]
    return {name: _value(name, own[name].iloc[0]) for name in constant if str(own[name].iloc[0]) != _NOT_SET}


def _value(name: str, level: object) -> Any:
    """Return a level as a target's description writes it."""
    kind = factor_named(name).type
    if level == _NOT_SET:
        return None
    return str(level).lower() == "true" if kind is bool else kind(_plain(level))


def _plain(level: object) -> Any:
    if isinstance(level, np.generic):
        level = level.item()
    return int(level) if isinstance(level, float) and level.is_integer() else level


def _yaml(value: dict[str, Any]) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
