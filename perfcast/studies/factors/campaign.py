"""The combinations to test next as files: a table of them, and what the workflow needs to measure them."""

from __future__ import annotations

import itertools
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from perfcast.config import read_extended
from perfcast.errors import UsageError
from perfcast.factors import ASKED, MAX_SETS, factor_named
from perfcast.fit.options import MIN_ROWS
from perfcast.models.sheet import format_sheet
from perfcast.models.spec import ModelSpec
from perfcast.project_files import find_project_file
from perfcast.storage import write_table, write_text
from perfcast.studies.factors.source import NOT_SET

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from perfcast.studies.factors.gaps import Coverage, Gap
    from perfcast.studies.factors.roles import Roles
    from perfcast.studies.factors.source import Source

TABLE, CONFIG, SHEET, TARGET = "combinations.csv", "config.yaml", "models.csv", "gaps"
_LOCAL = "local"
_FAMILIES = 2


def combinations_table(gaps: Sequence[Gap]) -> pd.DataFrame:
    """Return the combinations to test, the one that tells most first: one row per combination."""
    rows = [{**{name: _plain(level) for name, level in gap.levels.items()}, "bits": round(gap.bits, 3)} for gap in gaps]
    return pd.DataFrame(rows)


def write_campaign(folder: Path, coverage: Coverage, source: Source) -> tuple[dict[str, Path], str]:
    """Write what to test next into a folder; return the files by what they are, and a sentence about them.

    There is always a table of the combinations. For perfcast's own datasets, there is also what the workflow runs, if
    the missing combinations are of factors that a target can set.

    Raises:
        StoreError: the folder cannot be written.
    """
    files = {"combinations": folder / TABLE}
    write_table(files["combinations"], combinations_table(coverage.gaps))
    if source.dataset is None or not coverage.gaps:
        return files, "Run the combinations with your own test system, and add its results to the table."
    name = str(source.dataset["target"].iloc[0]) if "target" in source.dataset else _LOCAL
    try:
        sheet, target = _sheet(source, coverage), _target(name, source.dataset, coverage, source.results.roles)
    except UsageError as error:
        return files, f"There is no configuration for the workflow: {error}."
    files |= {"sheet": folder / SHEET, "target": folder / f"{TARGET}.yaml", "configuration": folder / CONFIG}
    where = folder.resolve()
    write_text(files["sheet"], sheet)
    write_text(files["target"], _yaml(target))
    models = {"sheets": [str(where / SHEET)], "synthetic": None}
    write_text(files["configuration"], _yaml({"target": TARGET, "targets": str(where), "models": models}))
    return files, f"Run it with `snakemake --profile profiles/{name} --configfile {files['configuration']}`."


def _sheet(source: Source, coverage: Coverage) -> str:
    """Return the sheet of the models in the combinations.

    Raises:
        UsageError: nothing says how one of them is made.
    """
    network = source.results.roles.network
    names = dict.fromkeys(str(gap.levels[network]) for gap in coverage.gaps) if network == "model" else {}
    if source.models is None or not names or not set(names) <= set(source.models["model"]):
        raise UsageError("no models.csv beside the results says how the models are made")
    rows = _enough(source.models, list(names))
    return format_sheet([_spec(row) for _, row in rows.iterrows()])


def _enough(models: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the rows of these models, and of as many others as the workflow needs to train on.

    Raises:
        UsageError: there are not as many.
    """
    families = models.set_index("model")["family"]
    own = set(families[names])
    others = sorted(set(models["model"]) - set(names), key=lambda name: (families[name] in own, name))
    chosen = [*names, *others[: max(0, MIN_ROWS - len(names), int(len(own) < _FAMILIES))]]
    if len(chosen) < MIN_ROWS or families[chosen].nunique() < _FAMILIES:
        raise UsageError(f"the workflow trains on {MIN_ROWS} models of {_FAMILIES} families, which models.csv lacks")
    return models.set_index("model").loc[chosen]


def _spec(row: pd.Series) -> ModelSpec:
    """Return the spec of a row of the model database.

    Raises:
        UsageError: the row was edited.
    """
    try:
        values = json.loads(row["parameters"])
        builder, shape, seed = (values.pop(name) for name in ("builder", "input_shape", "seed"))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"models.csv has no parameters of {row['name']} to make it again") from error
    return ModelSpec(row["name"], row["family"], row["source"], builder, tuple(shape), values, seed)


def _target(measured: str, dataset: pd.DataFrame, coverage: Coverage, roles: Roles) -> dict[str, Any]:
    """Return the description of the target: as that of the ``measured`` one, but for the factors.

    Raises:
        UsageError: a target cannot set one of the factors, there are too many combinations, or the description of the
            measured target is missing.
    """
    varied = [name for name in coverage.factors if name != roles.network]
    if foreign := [name for name in varied if name not in {factor.name for factor in ASKED}]:
        raise UsageError(f"a target cannot set {foreign[0]}")
    wanted = list(dict.fromkeys(tuple(_value(name, gap.levels[name]) for name in varied) for gap in coverage.gaps))
    vary = {name: list(dict.fromkeys(row[place] for row in wanted)) for place, name in enumerate(varied)}
    if math.prod(map(len, vary.values())) > MAX_SETS:
        raise UsageError(f"the missing combinations span more than {MAX_SETS:,}; name fewer factors with --factors")
    others = [row for row in itertools.product(*vary.values()) if row not in wanted]
    values, _ = read_extended(find_project_file(f"config/targets/{measured}.yaml"))
    factors = {"fixed": _fixed(dataset, varied), "vary": vary}
    if others:
        factors["exclude"] = [dict(zip(varied, row, strict=True)) for row in others]  # type: ignore[assignment]
    return values | {"description": "combinations that a study of factors found missing", "factors": factors}


def _fixed(dataset: pd.DataFrame, varied: Sequence[str]) -> dict[str, Any]:
    first = {factor.name: dataset[factor.name].iloc[0] for factor in ASKED if factor.name in dataset}
    return {name: _value(name, level) for name, level in first.items() if name not in varied and level != NOT_SET}


def _value(name: str, level: object) -> Any:
    """Return a level as a target's description writes it."""
    kind = factor_named(name).type
    if level == NOT_SET:
        return None
    return str(level).lower() == "true" if kind is bool else kind(_plain(level))


def _plain(level: object) -> Any:
    if isinstance(level, np.generic):
        level = level.item()
    return int(level) if isinstance(level, float) and level.is_integer() else level


def _yaml(value: dict[str, Any]) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
