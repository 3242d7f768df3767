"""Progress on the error stream."""

import perfcast.progress
from perfcast.progress import quiet, track


def test_progress_without_a_terminal_is_plain_lines(capsys, monkeypatch):
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr(perfcast.progress.time, "monotonic", lambda: float(next(clock)))
    with track(10, "measure") as advance:
        for _ in range(10):
            advance()
    written = capsys.readouterr()
    assert written.out == ""
    lines = written.err.splitlines()
    assert 1 < len(lines) < 10, "not a line a piece"
    assert lines[0].startswith("measure: ")
    assert lines[0].endswith(" left")


def test_quiet_prints_nothing(capsys):
    with quiet(2, "measure") as advance:
        advance(2)
    assert capsys.readouterr().err == ""
