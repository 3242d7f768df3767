"""Time against memory: their product as one number, and the conditions that nothing beats in both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from perfcast.studies.factors.results import Results


def unbeaten(time: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Return which points no other one beats: less of one and no more of the other (the Pareto front), as booleans."""
    order = np.lexsort((memory, time))
    found, least = np.zeros(len(time), dtype=bool), np.inf
    previous: tuple[float, float] | None = None
    for place in order:
        point = (float(time[place]), float(memory[place]))
        if memory[place] < least or point == previous:
            found[place] = True
            least, previous = memory[place], point
    return found


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
    values = both[time.column].to_numpy(), both[memory.column].to_numpy()
    both = both.assign(front=unbeaten(*values), front_of_network=False)
    groups = both.groupby(roles.network, observed=True).indices if roles.network else {"": np.arange(len(both))}
    for places in groups.values():
        marks = unbeaten(values[0][places], values[1][places])
        both.loc[both.index[places], "front_of_network"] = marks
    return both
