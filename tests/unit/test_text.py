"""Text for people: short, on one line, and without what controls a terminal."""

import pytest

from perfcast.text import escape_control, format_duration, format_number, last_line, one_line, shorten


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\r", "\u202e", "\ud800", "\x9b", "\u2028"])
def test_control_sequences_are_escaped(hostile):
    for shown in (escape_control(f"a{hostile}b"), one_line(f"a{hostile}b", 80), last_line(f"a{hostile}b")):
        assert hostile[0] not in shown
        assert shown.isprintable()
        assert shown.endswith("b")


def test_long_text_is_cut_and_marked():
    assert shorten("abcd", 4) == "abcd"
    assert shorten("abcde", 4) == "abcd…"
    assert one_line("a \n b" * 9, 5) == "a ba …"
    assert one_line(None, 5) == "unknown"
    assert last_line("first\n last \n\n") == "last"
    assert last_line(" \n") == "it said nothing"


@pytest.mark.parametrize(("value", "text"), [(1234.5, "1,230"), (0.0012345, "0.00123"), (2, "2"), (9.996, "10")])
def test_numbers_have_three_significant_digits(value, text):
    assert format_number(value) == text


def test_durations_are_readable():
    assert [format_duration(s) for s in (0.2, 89, 700, 10_000)] == ["0 s", "89 s", "12 min", "2 h 47 min"]
