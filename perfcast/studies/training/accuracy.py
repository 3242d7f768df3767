"""Training runs, as `perfcast train` writes them: accuracy against time and memory, and the document's claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perfcast.bench.training_runs import COLUMNS, COMPLETE
from perfcast.errors import UsageError
from perfcast.pages import Table, text_row
from perfcast.pages import formatting as fmt
from perfcast.pages.tables import numbers, texts
from perfcast.studies.statistics.claims import Claim
from perfcast.studies.training.operations import read_table

if TYPE_CHECKING:
    from pathlib import Path

    from perfcast.studies.statistics.claims import Verdict

_GROUP = ("model", "data", "pretrained_on", "optimizer", "learning_rate", "batch", "threads")
_NUMBERS = ("epoch", "seed", "step_ms", "step_cpu_ms", "train_s", "train_cpu_s", "peak_mb", "accuracy", "loss")
_GIVEN = 0.95
"""The accuracy that runs are timed to: this share of what training all reached, on average."""
_SETTLED = 0.01
_DOCUMENT = (
    ("lenet", "filters_60", 0.0, 3.0, 0.5, (0.10, 0.18)),
    ("resnet18", "layers_20", 10.0, 15.0, None, None),
    ("resnet18", "layers_40", 10.0, 15.0, None, None),
)
"""Network, what is trained; points of accuracy lost, from and to; most of the time; memory saved, from and to."""


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and its 95% interval (Student's)."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Any) -> Interval:
        """Return that of values; without limits of a single one."""
        from scipy import stats

        own = np.asarray(values, float)
        if len(own) < 2:
            return cls(float(own.mean()) if len(own) else np.nan, -np.inf, np.inf)
        reach = float(stats.t.ppf(0.975, len(own) - 1) * own.std(ddof=1) / np.sqrt(len(own)))
        return cls(float(own.mean()), float(own.mean()) - reach, float(own.mean()) + reach)

    def text(self, scale: float = 1.0) -> str:
        """Return it in words."""
        if np.isnan(self.mean):
            return ""
        reach = (self.high - self.mean) * scale
        spread = f" ± {fmt.number(reach)}" if np.isfinite(reach) else ""
        return f"{fmt.number(self.mean * scale)}{spread}"


def read_runs(path: Path) -> pd.DataFrame | None:
    """Return the runs of a file, None of a folder or file that holds something else.

    Raises:
        UsageError: it has no rows or a value that is not a number.
    """
    table = read_table(path, COLUMNS)
    if table is None:
        return None
    # Of runs none of which began from others, a CSV file has a column of missing numbers.
    table = table.astype({"pretrained_on": object}).fillna({"pretrained_on": ""})
    for name in _NUMBERS:
        values = pd.to_numeric(table[name], errors="coerce")
        if (values.isna() & table[name].notna()).any() or np.isinf(values).any() or (values < 0).any():
            raise UsageError(f"{path}: column {name} must be numbers that are not negative")
        table[name] = values
    if not len(table) or table[["epoch", "seed"]].isna().to_numpy().any():
        raise UsageError(f"{path}: no training runs: it has no rows, or no epoch or seed")
    return table


def accuracy_lines(runs: pd.DataFrame) -> tuple[str | Table, ...]:
    """Return what to print of runs."""
    if not len(runs):
        return ()
    notes = [
        f"{fmt.escape_control(name)}: images are generated, no accuracy is claimed of them"
        for name in runs.loc[runs["accuracy"].isna() & (runs["status"] == COMPLETE), "data"].unique()
    ]
    return (*notes, *(runs_table(rows, name) for name, rows in groups_of(runs)), *map(str, claims_of(runs)))


def groups_of(runs: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the runs that one table compares, each set by its name."""
    groups = runs.groupby(["model", "data", "pretrained_on", "batch", "threads"], sort=False)
    return [(_name(values), rows) for values, rows in groups]


def _name(values: Any) -> str:
    model, data, before, batch, threads = values
    after = f" after {before}" if before else ""
    return fmt.escape_control(f"{model}, {data}{after}, batch {batch}, {threads} threads")


def runs_table(rows: pd.DataFrame, name: str) -> Table:
    """Return one row per optimizer and what is trained: means over seeds with their intervals."""
    settings = ["optimizer", "learning_rate"]
    goal = {key: _goal(own) for key, own in rows.groupby(settings)}
    cells = [
        _cells(own, str(trained), fmt.escape_control(f"{optimizer}, {rate:g}"), goal[optimizer, rate])
        for (optimizer, rate, trained), own in rows.groupby([*settings, "trained"], sort=False)
    ]
    columns = (
        *texts("Optimizer, rate", "Trained"),
        *numbers("Runs", "Accuracy, %", "Step, CPU ms", "Step, ms", "Run, CPU s"),
        *numbers("CPU s to the accuracy", "Reached", "Epochs to convergence", "Memory, MB"),
    )
    share = f"{_GIVEN:.0%} of what training all reaches"
    return Table(f"{name}: mean over seeds ± 95% interval; the accuracy is {share}", columns, tuple(cells))


def _cells(own: pd.DataFrame, trained: str, optimizer: str, goal: float) -> Any:
    runs = [run.sort_values("epoch") for _, run in own.groupby("seed")]
    whole = [run for run in runs if run["status"].iloc[0] == COMPLETE]
    last = pd.DataFrame([run.iloc[-1] for run in whole], columns=own.columns)
    times = [time for run in whole if (time := _time_to(run, goal)) is not None]
    epochs = [_settled(run) for run in whole if run["accuracy"].notna().all()]
    means = {name: Interval.of(last[name].astype(float)) for name in _NUMBERS[2:8]}
    return text_row(
        optimizer,
        fmt.escape_control(trained),
        f"{len(whole)} of {len(runs)}",
        means["accuracy"].text(100),
        *(means[name].text() for name in ("step_cpu_ms", "step_ms", "train_cpu_s")),
        Interval.of(times).text() if times else "",
        f"{len(times)} of {len(runs)}" if np.isfinite(goal) else "",
        Interval.of(epochs).text() if epochs else "",
        means["peak_mb"].text(),
    )


def _goal(rows: pd.DataFrame) -> float:
    own = rows[(rows["trained"] == "all") & (rows["status"] == COMPLETE)]
    finals = [run.sort_values("epoch")["accuracy"].iloc[-1] for _, run in own.groupby("seed")]
    return _GIVEN * float(np.mean(finals)) if finals else np.nan


def _time_to(run: pd.DataFrame, goal: float) -> float | None:
    reached = run[run["accuracy"] >= goal]
    return float(reached["train_cpu_s"].iloc[0]) if len(reached) else None


def _settled(run: pd.DataFrame) -> int:
    """Return the epoch from which accuracy stays within a point of that after the last one."""
    off = (run["accuracy"] - run["accuracy"].iloc[-1]).abs() > _SETTLED
    return int(run.loc[off, "epoch"].max()) + 1 if off.any() else int(run["epoch"].iloc[0])


def claims_of(runs: pd.DataFrame) -> tuple[Claim, ...]:
    """Return the document's claims about partial training, for each set of runs that compares with training all."""
    found: list[Claim] = []
    for values, rows in runs.groupby(list(_GROUP), sort=False):
        for network, trained, low, high, time, memory in _DOCUMENT:
            if not str(values[0]).startswith(network):
                continue
            pairs = _pairs(rows, trained)
            if pairs is None:
                continue
            where = fmt.escape_control(f"{values[0]}, {values[1]}, {values[3]}, {trained}")
            lost = Interval.of(100 * (pairs["accuracy_all"] - pairs["accuracy"]))
            least = f"{low:g} to" if low else "at most"
            found.append(_claim(f"{where}: {least} {high:g} points of accuracy are lost", lost, low, high))
            if time:
                ratio = Interval.of(_step_s(pairs) / _step_s(pairs, "_all"))
                found.append(_claim(f"{where}: a step takes less than half the CPU time", ratio, 0, time))
            if memory:
                saved = Interval.of(1 - pairs["peak_mb"] / pairs["peak_mb_all"])
                found.append(_claim(f"{where}: about 14% of memory is saved", saved, *memory))
    return tuple(found)


def _step_s(pairs: pd.DataFrame, of: str = "") -> pd.Series:
    """Return the mean CPU time of a step: where steps draw what they train, they differ."""
    return pairs[f"train_cpu_s{of}"] / (pairs[f"epoch{of}"] * pairs[f"steps{of}"])


def _pairs(rows: pd.DataFrame, trained: str) -> pd.DataFrame | None:
    whole = rows[rows["status"] == COMPLETE].sort_values("epoch")
    last = whole.groupby(["trained", "seed"], as_index=False).last()
    own, every = (last[last["trained"] == name] for name in (trained, "all"))
    pairs = own.merge(every, on="seed", suffixes=("", "_all"))
    return pairs if len(pairs) else None


def _claim(statement: str, found: Interval, low: float, high: float) -> Claim:
    """Return a claim that a number is in a range: decided where all of its interval is inside or outside."""
    from_, to = (low if low else -np.inf), high
    verdict: Verdict = "open"
    if found.low >= from_ and found.high <= to:
        verdict = "confirmed"
    elif found.high < from_ or found.low > to:
        verdict = "contradicted"
    evidence = f"{found.text()}, over seeds, 95%" if np.isfinite(found.mean) else "no accuracy was measured"
    return Claim(statement, verdict, evidence)
