"""What runner and host agree on stands once."""

from perfcast.config import schema
from perfcast.runner import protocol
from perfcast.runner.protocol import answer_in, log_line, resume_of


def test_schema_of_answers_knows_the_events_of_the_protocol():
    events = [kind["properties"]["event"]["const"] for kind in schema("answer")["oneOf"]]
    assert set(events) == set(protocol.EVENTS)


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
    assert resume_of("x", [visit]) == {
        "environment": "x",
        "visits": [{"visit": 0, "median_ns": 20, "disturbed": True}],
    }
