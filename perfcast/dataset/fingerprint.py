"""Measurements of one toolchain made in different environments are not one dataset."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from perfcast.bench.environment import differing
from perfcast.errors import DataError
from perfcast.factors import settings_in
from perfcast.runner.protocol import fingerprint_of
from perfcast.storage import digest_of_json
from perfcast.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_NAMED = 4
_MAX_LENGTH = 60


def fingerprints_of(
    records: Sequence[dict[str, Any]], environments: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return what records were measured under, by the digests that they name."""
    return {record["fingerprint"]: fingerprint_of(environments[record["environment"]]) for record in records}


def refuse_mixed_fingerprints(records: Sequence[dict[str, Any]], environments: Mapping[str, dict[str, Any]]) -> None:
    """Refuse records of one toolchain that were made in different environments, such as under another governor.

    Environments may differ in the settings that are factors.

    Args:
        records: measurements of one target.
        environments: the environments that they name, by digest.

    Raises:
        DataError: one line with the differing facts, how many measurements have each value, and what to do.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault(digest_of_json(_what_is_set(record["factors"])), []).append(record)
    for group in groups.values():
        _refuse_mixed(group, environments)


def _what_is_set(factors: Mapping[str, Any]) -> dict[str, Any]:
    """Return the factors that environments differ by."""
    return {"toolchain": factors["toolchain"]} | settings_in(factors)


def _refuse_mixed(records: Sequence[dict[str, Any]], environments: Mapping[str, dict[str, Any]]) -> None:
    counts = Counter(record["fingerprint"] for record in records)
    if len(counts) < 2:
        return
    found = fingerprints_of(records, environments)
    first, *others = (found[digest] for digest, _ in counts.most_common())
    names = list(dict.fromkeys(name for other in others for name in differing(first, other)))
    differences = "; ".join(_described(name, counts, found) for name in names[:_MAX_NAMED])
    more = f"; {len(names) - _MAX_NAMED} more facts differ" if len(names) > _MAX_NAMED else ""
    target = records[0]["target"]
    raise DataError(
        f"dataset of target {target}: its measurements were made in {len(counts)} different environments: "
        f"{differences}{more}; delete results/{target}/manifests and run again to measure all in the present one ("
        "measurements in other environments are kept), or describe a second target to measure both"
    )


def _described(name: str, counts: Counter[str], found: Mapping[str, dict[str, dict[str, Any]]]) -> str:
    values: Counter[str] = Counter()
    for digest, fingerprint in found.items():
        facts = {key: value for part in fingerprint.values() for key, value in part.items()}
        values[one_line(facts.get(name), _MAX_LENGTH)] += counts[digest]
    return f"{name} is " + ", ".join(f"{value} in {count}" for value, count in values.most_common())
