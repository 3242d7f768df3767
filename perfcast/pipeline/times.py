"""What each stage took: written at the end of each job's log, and read from there for the summary."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from perfcast.text import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perfcast.pipeline.campaign import Campaign


def took() -> str:
    """Return the log's line on how long this process has run."""
    return f"took {time.time() - psutil.Process().create_time():.1f} s"


def logs_of(campaign: Campaign) -> dict[str, list[str]]:
    """Return the logs of each stage's jobs, in the order of the stages."""
    everywhere, here = f"{campaign.results}/logs", f"{campaign.target_results}/logs"
    if campaign.models is None:
        return {"import": [f"{here}/import.log"], "fit": [f"{here}/fit.log"]}
    shards = campaign.shards
    return {
        "collect": [f"{everywhere}/collect/{shard}.log" for shard in shards],
        "export": [f"{everywhere}/export/{shard}.log" for shard in shards],
        "first pass": [f"{here}/first_pass.log"],
        "benchmark": [f"{here}/benchmark/{shard}.log" for shard in shards],
        "features": [f"{everywhere}/features.log"],
        "dataset": [f"{here}/dataset.log"],
        "fit": [f"{here}/fit.log"],
    }


def times_line(logs: Mapping[str, Sequence[str]]) -> str:
    """Return the summary's line on what each stage took when it last ran, its jobs added up; empty without any."""
    known = {name: [seconds for log in files if (seconds := _seconds(Path(log)))] for name, files in logs.items()}
    spent = [f"{name} {format_duration(sum(seconds))}" for name, seconds in known.items() if seconds]
    return f"time of all jobs: {', '.join(spent)}" if spent else ""


def _seconds(log: Path) -> float:
    """Return what a log says at its end; 0 where it says nothing, as of a job that came from a cache."""
    found = re.findall(r"^took ([\d.]+) s$", log.read_text(errors="replace"), re.MULTILINE) if log.is_file() else []
    return float(found[-1]) if found else 0.0
