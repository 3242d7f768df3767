"""Protocols: what is refused, and what of them stands in a measurement's key."""

import pytest
import yaml

from perfcast.bench.target import Protocol, Target, read_description
from perfcast.errors import UsageError

PUBLISHED = {"name": "published", "iterations": 250, "discard": 50}
ADAPTIVE = PUBLISHED | {"name": "adaptive", "visits": 5, "repeats": 5, "min_visits": 3, "rel_ci_half_width": 0.02}

REFUSED = [
    (PUBLISHED | {"discard": 250}, "discard 250 must be less than iterations 250"),
    (PUBLISHED | {"visits": 4}, "iterations 250 cannot be divided evenly over visits 4; take a multiple of 4"),
    (PUBLISHED | {"visits": 5, "discard": 3}, "discard 3 cannot be divided evenly over visits 5; take a multiple of 5"),
    (PUBLISHED | {"min_visits": 2}, "min_visits belongs to the adaptive protocol; remove it, or set name: adaptive"),
    (PUBLISHED | {"rel_ci_half_width": 0.1}, "rel_ci_half_width belongs to the adaptive protocol"),
    (
        {k: v for k, v in ADAPTIVE.items() if k != "rel_ci_half_width"},
        "adaptive needs rel_ci_half_width; add it, or set name: published",
    ),
    ({k: v for k, v in ADAPTIVE.items() if k != "min_visits"}, "adaptive needs min_visits; add it"),
    (ADAPTIVE | {"min_visits": 6}, "min_visits 6 must be at most visits 5"),
    (ADAPTIVE | {"visits": 1, "min_visits": 2}, "min_visits 2 must be at most visits 1"),
    (ADAPTIVE | {"min_visits": 1}, "protocol.min_visits: 1 is less than the minimum of 2"),
    (ADAPTIVE | {"rel_ci_half_width": 0}, "protocol.rel_ci_half_width: 0 is less than or equal to the minimum of 0"),
    (ADAPTIVE | {"rel_ci_half_width": "2%"}, "protocol.rel_ci_half_width: '2%' is not of type 'number'"),
    (ADAPTIVE | {"visits": 0}, "protocol.visits: 0 is less than the minimum of 1"),
    (ADAPTIVE | {"repeats": -1}, "protocol.repeats: -1 is less than the minimum of 0"),
    (ADAPTIVE | {"visit": 5}, "protocol: unknown key visit; known are budget_s, discard, iterations, min_visits"),
    (ADAPTIVE | {"name": "best"}, "protocol.name: 'best' is not one of ['published', 'adaptive']"),
]


@pytest.fixture
def description(root):
    return yaml.safe_load((root / "config/targets/local.yaml").read_text())


@pytest.mark.parametrize(("protocol", "words"), REFUSED, ids=[words[:30] for _, words in REFUSED])
def test_conflicting_options_are_one_line_with_file_and_key(description, tmp_path, protocol, words):
    path = tmp_path / "board.yaml"
    path.write_text(yaml.safe_dump(description | {"protocol": protocol}))
    with pytest.raises(UsageError) as caught:
        read_description(path)
    assert str(caught.value).startswith(f"{path}: protocol")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_default_visits_are_those_of_the_source_document():
    protocol = Protocol(**PUBLISHED)
    values = {"name": "published", "version": 3, "iterations": 250, "discard": 50, "visits": 1, "repeats": 0}
    assert protocol.to_dict() == values
    assert (protocol.iterations_per_visit, protocol.discard_per_visit) == (250, 50)
    assert (protocol.required_visits, protocol.max_visits) == (1, 1)


def test_adaptive_protocol_divides_evenly_and_stops_early():
    protocol = Protocol(**ADAPTIVE)
    assert protocol.to_dict() == ADAPTIVE | {"version": 3}
    assert (protocol.iterations_per_visit, protocol.discard_per_visit) == (50, 10)
    assert (protocol.required_visits, protocol.max_visits) == (3, 10)


def test_unused_device_options_are_optional(description):
    for key in ("settings", "soak_s"):
        description.pop(key, None)
    target = Target.from_dict("board", description)
    assert (target.settings, target.soak_s) == ({}, None)
    target = Target.from_dict("board", description | {"settings": None, "soak_s": 60})
    assert (target.settings, target.soak_s) == ({}, 60.0)
