"""A budget is shared out to shards, and a shard that it ended early is measured further by the next run."""

import re
import subprocess
import sys

import pytest

from perfcast.models.spec import ModelSpec
from perfcast.pipeline.budget import effort, note, shares
from perfcast.pipeline.shards import specs_by_shard
from perfcast.pipeline.times import times_line
from perfcast.text import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1.5h", 5400), ("0", 0), ("2 m", 120)]
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "5 parsecs", "-5m", "5m5s", "1e3", "inf", "\u0665m\x1b[2J"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(
        ValueError, match="is not a duration; write a number with the unit s, m or h, such as 90s or 5m"
    ):
        parse_duration(text)


def test_shards_share_a_budget_by_their_models():
    assert shares(100.0, [10, 30, 0]) == [25.0, 75.0, 0.0]
    assert shares(None, [10, 30]) == [None, None]
    assert shares(100.0, [0]) == [0.0]


def test_a_shard_runs_again_until_it_is_complete(tmp_path):
    progress = str(tmp_path / "progress/0.json")
    first = effort(progress, "a", 60.0)
    assert effort(progress, "a", 60.0) == first
    note(progress, first, complete=False)
    second = effort(progress, "a", 60.0)
    assert second != first
    note(progress, second, complete=True)
    # Whatever the budget is now: there is nothing to do.
    assert effort(progress, "a", None) == effort(progress, "a", 5.0) == second
    # Snakemake compares parameters as they are written.
    assert list(effort(progress, "a", None)) == list(second)
    assert effort(progress, "another protocol", 5.0) == {"of": "another protocol", "run": 0, "budget_s": 5.0}


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"effort": 1, "complete": true}'])
def test_a_damaged_note_is_as_none(tmp_path, damage):
    (tmp_path / "0.json").write_text(damage)
    assert effort(str(tmp_path / "0.json"), "a", None)["run"] == 0


def test_the_first_shard_has_a_model_of_each_family():
    specs = [
        ModelSpec(f"{family}_{number}", family, "dense", "mlp", (32,), {"layers": number})
        for family in "abcdefghijkl"
        for number in range(1, 4)
    ]
    shards = specs_by_shard(specs, 6)
    assert {spec.family for spec in shards[0]} == set("abcdefghijkl")
    assert sorted(spec.model for shard in shards for spec in shard) == sorted(spec.model for spec in specs)


def test_times_are_those_at_the_end_of_logs(tmp_path):
    for number, text in enumerate(["took 3.0 s\nmore\ntook 61.5 s\n", "killed", "took 40.0 s\n"]):
        (tmp_path / f"{number}.log").write_text(text)
    logs = {"export": [str(tmp_path / "0.log"), str(tmp_path / "2.log")], "fit": [str(tmp_path / "1.log")], "x": []}
    assert times_line(logs) == "time of all jobs: export 2 min"
    assert times_line({"fit": ["missing.log"]}) == ""


def test_first_pass_runs_under_the_variables_of_other_jobs():
    """Else the visits of the first pass were made in another environment, and were made again."""
    changed = "print(os.environ.items() - old.items())"
    code = f"import os; old = dict(os.environ); import perfcast.pipeline.first_pass; {changed}"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not re.search(r"'(OMP|KMP|MKL|TF|OPENBLAS|MALLOC|LD)_", shown.stdout)
