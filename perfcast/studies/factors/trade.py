"""Time against memory: their product as one number, and the conditions that nothing beats in both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.studies.statistics.fronts import unbeaten

if TYPE_CHECKING:
    import pandas as pd

    from perfcast.studies.factors.results import Results


def trade_off(results: Results) -> pd.DataFrame | None:
    """Return the conditions that have both a time and a memory, with these and two booleans; None without both.

    `front` marks those that no condition beats, `front_of_network` those that none of the same network beats.
    """
    roles = results.roles
    time, memory = roles.first("time"), roles.first("memory")
    if time is None or memory is None:
        return None
    names = list(roles.factors)
    tables = [
        results.cells[metric.column].conditions.assign(**{metric.column: np.exp(results.cells[metric.column].mean)})
        for metric in (time, memory)
    ]
    both = tables[0].merge(tables[1], on=names) if names else tables[0].merge(tables[1], how="cross")
    if both.empty:
        return None
    values = both[[time.column, memory.column]].to_numpy(dtype=float)
    both = both.assign(front=unbeaten(values), front_of_network=False)
    groups = both.groupby(roles.network, observed=True).indices if roles.network else {"": np.arange(len(both))}
    for places in groups.values():
        marks = unbeaten(values[places])
        both.loc[both.index[places], "front_of_network"] = marks
    return both
