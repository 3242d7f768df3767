"""A predictor's manifest, read and checked before anything in it is used."""

from __future__ import annotations

import json
import reprlib
from typing import TYPE_CHECKING, Any

from perfcast.errors import PredictorError
from perfcast.schema import first_problem, load
from perfcast.storage import canonical_json, digest_of, digest_of_json

if TYPE_CHECKING:
    from pathlib import Path


SCHEMA_VERSION = 5
MANIFEST = "manifest.json"


def with_checksum(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return ``manifest`` with its own checksum, as `read_manifest` wants it."""
    return manifest | {"manifest_digest": digest_of_json(manifest)}


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest in ``path`` without its digest; all of its values are of the schema's kinds and ranges.

    Raises:
        PredictorError: it is missing, damaged, edited, of a newer version, or holds what no predictor can.
    """
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise PredictorError(f"{path}: there is no predictor here") from error
    except (OSError, ValueError, RecursionError) as error:
        raise PredictorError(f"{path}: cannot be read as JSON ({error})") from error
    _check_version(path, manifest.get("schema_version") if isinstance(manifest, dict) else None)
    digest = manifest.pop("manifest_digest", None)
    if not isinstance(digest, str) or digest != _digest_or_none(manifest):
        raise PredictorError(f"{path}: was changed after it was written (its digest does not match)")
    _check_values(path, manifest)
    return manifest


def _check_version(path: Path, version: object) -> None:
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        shown = "no schema_version" if version is None else f"schema_version: {reprlib.repr(version)}"
        raise PredictorError(f"{path}: does not describe a predictor ({shown})")
    if version < SCHEMA_VERSION:
        raise PredictorError(f"{path}: written by an older perfcast (schema {version}); train it again")
    if version > SCHEMA_VERSION:
        raise PredictorError(
            f"{path}: written by a newer perfcast (schema {reprlib.repr(version)}, not {SCHEMA_VERSION}): "
            "upgrade this one"
        )


def _digest_or_none(manifest: dict[str, Any]) -> str | None:
    try:
        return digest_of(canonical_json(manifest))
    except (ValueError, RecursionError):  # NaN, infinity or lone surrogates, which perfcast never writes
        return None


def _check_values(path: Path, manifest: dict[str, Any]) -> None:
    if problem := first_problem(manifest, load("predictor.schema.json")):
        # Names come from the file: none may break the line or reach the terminal as a control character.
        key = ".".join(ascii(part).strip("'") for part in problem.path) or "its keys"
        raise PredictorError(f"{path}: does not describe a predictor ({key}: {problem.reason})")
    parts = manifest["parts"]
    shares = {metric["interval"]["share"] for part in parts for metric in part["metrics"].values()}
    for key in ("factors", "metrics"):
        if any(part[key].keys() != parts[0][key].keys() for part in parts):
            raise PredictorError(f"{path}: does not describe a predictor (parts: {key} differ in their names)")
    if len(shares) > 1:
        raise PredictorError(f"{path}: does not describe a predictor (interval.share: differs among metrics)")
