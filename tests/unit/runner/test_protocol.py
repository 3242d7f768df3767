"""What runner and host agree on stands once."""

import pytest

from perfcast.runner.protocol import answer_in, log_line, resume_of
from perfcast.runner.shapes import NOTHING_BEFORE, PLAN, answer_of, check_plan, plan_with


def test_an_answer_or_plan_of_another_shape_is_not_made():
    assert answer_of("done", {}) == {"event": "done"}
    with pytest.raises(ValueError, match="an answer done does not have the fields more"):
        answer_of("done", {"more": 1})
    with pytest.raises(ValueError, match="expected are budget_s, calibration_ns, "):
        plan_with(factors={}, **NOTHING_BEFORE)


def test_a_plan_for_another_version_is_refused_in_one_line():
    plan = dict.fromkeys(PLAN) | {"tasks": [{"key": "a"}]}
    with pytest.raises(SystemExit, match=r"^the plan has no tasks: program: it was written for another version"):
        check_plan(plan)


def test_log_line_is_read_back_only_if_unchanged():
    first, checksum = log_line("bundle", '{"event": "done"}')
    second, after = log_line(checksum, '{"event": "ended"}')
    assert answer_in(first, "bundle") == ('{"event": "done"}', checksum)
    assert answer_in(second, checksum) == ('{"event": "ended"}', after)
    assert answer_in(second, "bundle") is None
    assert answer_in(first.replace(b"done", b"gone"), "bundle") is None
    assert answer_in(first[:-1], "bundle") is None
    assert all(
        answer_in(line, "bundle") is None for line in (b"\n", b"[]\n", b"7\n", b'{"answer": 1, "checksum": 2}\n')
    )


def test_plan_lists_medians_of_earlier_visits():
    samples = {"wall_ns": [90, 10, 20, 40], "discarded": [True, False, False, False]}
    visit = {"visit": 0, "disturbed": True, "samples": samples, "state": {}}
    assert resume_of("x", []) is None
    assert resume_of("x", [visit]) == {"environment": "x", "visits": [{"visit": 0, "median_ns": 20, "disturbed": True}]}
