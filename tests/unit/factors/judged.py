"""Whether the study calls what was planted in simulated test results by its name."""

from dataclasses import dataclass

import numpy as np

from perfcast.studies.factors.analysis import analyse
from perfcast.studies.factors.results import collect
from perfcast.studies.factors.roles import Asked, find_roles
from perfcast.tables.reading import TABLE
from perfcast.tables.text_tables import ROW
from tests.unit.factors.simulated import SWITCHED, Truth, simulated


@dataclass(frozen=True)
class Judged:
    """What of one simulation was called right.

    Attributes:
        confounded: that optimisation cannot be told from the build within a network.
        no_effect: that the device has no effect on time, although the unadjusted ratio says it has.
        change: the build that changed the time of A, and no other.
        switch: that the change of B came with its optimisation.
        covered: whether the interval of the effect of threads holds it.
    """

    confounded: bool
    no_effect: bool
    change: bool
    switch: bool
    covered: bool

    @property
    def confounder(self) -> bool:
        return self.confounded and self.no_effect

    @property
    def change_point(self) -> bool:
        return self.change and self.switch


def analysed(table):
    rows = table.assign(**{ROW: np.arange(1, len(table) + 1), TABLE: "simulated"})
    return analyse(collect([rows], find_roles(rows, Asked())), suggestions=0, keep_outliers=False)


def judge(seed: int) -> Judged:
    """Return what of a simulation is called right."""
    table, truth = simulated(seed)
    found = analysed(table)
    time = next(each for each in found.metrics if each.metric.column == "time_ms")
    changes = {name: [change for change in time.changes if change.network == name] for name in "AB"}
    alias = found.alias_of("optimised")
    effects = {effect.factor: effect for effect in time.model.effects}
    return Judged(
        confounded=alias is not None and set(alias.by) == {"network", "build"},
        no_effect=not effects["device"].is_significant and effects["device"].raw_ratio > 1.3,
        change=[change.builds[0] for change in changes["A"]] == [truth.build],
        switch=[change.builds[0] for change in changes["B"]] == [SWITCHED] and "optimised" in changes["B"][0].along,
        covered=_covers(effects["threads"], truth),
    )


def _covers(effect, truth: Truth) -> bool:
    ratio = (effect.high / effect.low) ** truth.speedup
    return bool(effect.ratio_low <= ratio <= effect.ratio_high)
