"""A predictor's folder, which cannot run code: written as a whole, checked before anything in it is used."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.bench.calibrations import Speed
from perfcast.errors import PredictorError, UsageError
from perfcast.fit import evaluation
from perfcast.fit.inputs import InputColumns
from perfcast.fit.persistence.arrays import Shape, from_bytes, to_bytes
from perfcast.fit.persistence.manifest import MANIFEST, SCHEMA_VERSION, read_manifest, with_checksum
from perfcast.fit.predictor import MetricPredictor, Part, Predictor
from perfcast.storage import digest_of, write_bytes, write_json
from perfcast.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OLD = "old"
_BESIDE = frozenset(
    ("problems.csv", ".snakemake_timestamp", "evaluation", *(f"evaluation/{name}" for name in evaluation.FILES))
)
"""What commands and the workflow write next to a predictor."""


def save_predictor(
    predictor: Predictor, folder: str | os.PathLike[str], more: Callable[[Path], None] | None = None
) -> None:
    """Write ``predictor`` to ``folder``, which is replaced as a whole or, where that fails, stays as it was.

    Args:
        predictor: what to write.
        folder: where to; of a link, what it leads to is replaced.
        more: writes what belongs next to it into the given folder.

    Raises:
        UsageError: as `check_replaceable`.
        PredictorError: writing or replacing failed.
    """
    check_replaceable(Path(folder))
    target = Path(os.path.realpath(folder))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _aside(target) as aside:
            fresh = aside / "new"
            _write(predictor, fresh)
            if more:
                more(fresh)
            if target.exists():
                target.rename(aside / _OLD)
            fresh.rename(target)
    except OSError as error:
        raise PredictorError(f"{folder}: cannot be written ({error.strerror})") from error


@contextlib.contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """Yield a folder next to ``target``, deleted in the end; its `old` is restored if nothing replaced it."""
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    old = aside / _OLD
    try:
        yield aside
    finally:
        if old.exists() and not target.exists():
            try:
                old.rename(target)
            except OSError as error:
                raise PredictorError(f"{target}: cannot be restored ({error.strerror}); it is kept as {old}") from error
        # The request is fulfilled by now: a file that cannot be deleted is not a failure.
        shutil.rmtree(aside, ignore_errors=True)


def load_predictor(folder: str | os.PathLike[str]) -> Predictor:
    """Return the predictor that `save_predictor` wrote to ``folder``.

    Raises:
        PredictorError: a file is missing, damaged, edited, of a newer version, or holds what no predictor can;
            it names the file and, in the manifest, the key.
    """
    directory = Path(folder)
    manifest = read_manifest(directory / MANIFEST)
    try:
        return Predictor(
            parts=tuple(
                _load_part(_part_folder(directory, number, len(manifest["parts"])), entry, manifest)
                for number, entry in enumerate(manifest["parts"])
            ),
            target=manifest["target"],
            environment=manifest["environment"],
            training_digest=manifest["training_digest"],
            calibrations_ms={
                entry["threads"]: Speed(entry["best_ms"], entry["usual_ms"], entry["slow_ms"])
                for entry in manifest.get("calibrations", ())
            },
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise PredictorError(f"{directory / MANIFEST}: does not describe a predictor ({error!r})") from error


def check_replaceable(folder: Path) -> None:
    """Refuse, before any work is done for it, a folder that `save_predictor` must not or cannot replace.

    Raises:
        UsageError: it holds something else than a predictor, is a broken link, or cannot be written.
    """
    try:
        if folder.is_symlink() and not folder.exists():
            raise UsageError(f"{folder}: is a broken link; remove it or name another folder")
        if folder.exists() and (foreign := _first_foreign(folder)):
            raise UsageError(
                f"{folder}: holds something else than a predictor ({foreign}), so it is not replaced; "
                "move that away or name another folder"
            )
        _try_to_write_beside(Path(os.path.realpath(folder)))
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror}); name another folder") from error


def _try_to_write_beside(target: Path) -> None:
    nearest = next(parent for parent in target.parents if parent.exists())
    tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=nearest).cleanup()


def _first_foreign(folder: Path) -> str | None:
    """Return the first entry of ``folder``, by name, that is not a part of a predictor; None where all are."""
    own = _names_of_predictor(folder / MANIFEST)
    inner = [entry for name in own if (entry := folder / name).is_dir()]
    entries = [*folder.iterdir(), *(entry for beside in inner for entry in beside.iterdir())]
    return min({entry.relative_to(folder).as_posix() for entry in entries} - own, default=None)


def _names_of_predictor(path: Path) -> frozenset[str]:
    """Return what a folder may hold by its manifest in ``path``, of any version; nothing if it is not a predictor's."""
    try:
        manifest = json.loads(path.read_bytes())
        version = manifest["schema_version"]
        # Before version 4 a predictor had one part.
        parts = manifest.get("parts") or [manifest]
        files = set()
        for number, part in enumerate(parts):
            beside = _part_folder(Path(), number, len(parts))
            files |= {beside.as_posix()} - {"."}
            files |= {(beside / file).as_posix() for metric in part["metrics"].values() for file in metric["files"]}
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return frozenset()
    return _BESIDE | files | {MANIFEST} if isinstance(version, int) and files else frozenset()


def _part_folder(folder: Path, number: int, parts: int) -> Path:
    """Return where the files of a part are: next to the manifest if it is the only one."""
    return folder if parts == 1 else folder / f"part-{number}"


def _write(predictor: Predictor, folder: Path) -> None:
    parts = [
        _write_part(part, _part_folder(folder, number, len(predictor.parts)))
        for number, part in enumerate(predictor.parts)
    ]
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "perfcast_version": VERSION,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "target": predictor.target,
        "environment": dict(predictor.environment),
        "training_digest": predictor.training_digest,
        "numeric_factors": list(predictor.numeric_factors),
        "calibrations": [
            {"threads": threads, "best_ms": speed.best, "usual_ms": speed.usual, "slow_ms": speed.slow}
            for threads, speed in sorted(predictor.calibrations_ms.items())
        ],
        "parts": parts,
    }
    write_json(folder / MANIFEST, with_checksum(manifest))


def _write_part(part: Part, folder: Path) -> dict[str, Any]:
    """Write the files of a part, and return what the manifest says of it."""
    entries = {}
    for name, metric in part.metrics.items():
        data = to_bytes(metric.model)
        write_bytes(folder / f"{name}.npz", data)
        entries[name] = {
            "unit": metric.unit,
            "algorithm": metric.algorithm,
            "features": list(metric.features),
            "families": list(metric.families),
            "combinations": metric.combinations.tolist(),
            **metric.details,
            "files": {f"{name}.npz": digest_of(data)},
        }
    return {"factors": dict(part.factors), "metrics": entries}


def _load_part(folder: Path, entry: dict[str, Any], manifest: dict[str, Any]) -> Part:
    factors = tuple(manifest["numeric_factors"])
    return Part(
        entry["factors"],
        {name: _load_metric(folder, name, metric, factors) for name, metric in entry["metrics"].items()},
    )


def _load_metric(folder: Path, name: str, entry: dict[str, Any], factors: tuple[str, ...]) -> MetricPredictor:
    npz = f"{name}.npz"
    data = _read_verified(folder / npz, entry["files"][npz])
    columns, families = InputColumns(tuple(entry["features"]), factors), tuple(entry["families"])
    combinations = np.array(entry["combinations"], dtype=float)
    if combinations.shape != (len(combinations), len(factors)):
        raise PredictorError(f"{folder / MANIFEST}: metric '{name}': combinations do not fit numeric_factors")
    algorithms = [member["algorithm"] for member in entry["members"]]
    return MetricPredictor(
        unit=entry["unit"],
        algorithm=entry["algorithm"],
        columns=columns,
        families=families,
        combinations=combinations,
        model=from_bytes(npz, algorithms, Shape(columns, combinations[0], len(families)), data),
        details={key: entry[key] for key in ("members", "domain", "interval", "errors")}
        | {"running_out": entry.get("running_out")},
    )


def _read_verified(path: Path, digest: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PredictorError(f"{path}: cannot be read ({error.strerror})") from error
    if digest_of(data) != digest:
        raise PredictorError(f"{path}: is damaged or was changed (its digest does not match the manifest)")
    return data
