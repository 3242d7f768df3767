"""A fitted predictor: forecasts with intervals, kept in a folder that cannot run code."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perfcast.errors import PredictorError, UsageError
from perfcast.fit import evaluation
from perfcast.fit.families import kinship
from perfcast.fit.manifest import MANIFEST, SCHEMA_VERSION, read_manifest, seal
from perfcast.fit.serialization import from_files, to_files
from perfcast.fit.table import number_columns
from perfcast.storage import digest_of, write_bytes, write_json
from perfcast.text import escape_control
from perfcast.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from perfcast.fit.serialization import Parts

_PIECE = 500
_OLD = "old"
_BESIDE = frozenset(
    ("problems.csv", ".snakemake_timestamp", "evaluation", *(f"evaluation/{name}" for name in evaluation.FILES))
)
"""What commands and the workflow write beside a predictor."""


@dataclass(frozen=True)
class MetricPredictor:
    """The forecaster of one metric.

    Attributes:
        unit: of its forecasts.
        algorithm: its name, such as `ensemble`.
        features: the columns it needs, in order.
        families: that it knows.
        parts: regressors, domain and intervals.
        details: what the manifest says besides: `members`, `domain`, `interval`, `errors`.
    """

    unit: str
    algorithm: str
    features: tuple[str, ...]
    families: tuple[str, ...]
    parts: Parts
    details: Mapping[str, Any]

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return `unit`, `prediction`, `lower`, `upper` and `in_domain`, a row a row of ``features``.

        A column `family` need not be there, and its families need not be known.

        Raises:
            DataError: a column is missing or holds something else than finite numbers.
        """
        inputs = number_columns(features, self.features)
        families = features.get("family", pd.Series("", index=features.index))
        kin = kinship(families.to_numpy(), self.families)
        # Of so many rows the distances to all that was learned from stay in a processor's caches.
        pieces = [slice(start, start + _PIECE) for start in range(0, len(inputs) or 1, _PIECE)]
        return pd.concat([self._forecast(inputs[piece], kin[piece]) for piece in pieces], ignore_index=True)

    def _forecast(self, inputs: np.ndarray, kin: np.ndarray) -> pd.DataFrame:
        forecaster, domain, intervals = self.parts
        prediction, spreads = forecaster.forecast(inputs, kin)
        location = domain.locate(forecaster.fences.repaired(inputs))
        factor = np.exp(intervals.half_widths(location.distances, spreads))
        return pd.DataFrame(
            {
                "unit": self.unit,
                "prediction": prediction,
                "lower": prediction / factor,
                "upper": prediction * factor,
                "in_domain": location.inside,
            }
        )


@dataclass(frozen=True)
class Predictor:
    """Forecasters of one target.

    Attributes:
        metrics: by name.
        target: its name.
        context: where and with what it was measured.
        training_digest: of all rows learned from.
    """

    metrics: Mapping[str, MetricPredictor]
    target: str
    context: Mapping[str, Any]
    training_digest: str

    @property
    def interval(self) -> float:
        """The share of measured values that the intervals are meant to hold, such as 0.9; all metrics' alike."""
        return float(next(iter(self.metrics.values())).details["interval"]["share"])

    @property
    def label(self) -> str:
        """Its target, and what was measured there: device, threads and toolchain; fit to be shown on a terminal."""
        known = {name: ", ".join(map(str, values)) for name, values in self.context.items() if values}
        threads = [f"{known['threads']} threads"] if "threads" in known else []
        toolchain = " ".join(known[name] for name in ("toolchain", "toolchain_version") if name in known)
        facts = [*([known["device"]] if "device" in known else []), *threads, *([toolchain] if toolchain else [])]
        # Names come from the manifest, and may hold what commands a terminal.
        return escape_control(f"{self.target} ({', '.join(facts)})" if facts else self.target)

    @property
    def coverage(self) -> dict[str, float]:
        """The share of measured values that each metric's intervals held, on families left out."""
        return {name: float(metric.details["interval"]["coverage"]) for name, metric in self.metrics.items()}

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return forecasts with intervals for the models in ``features``.

        Args:
            features: a row a model, with all features the predictor needs and, if the models have names or
                families, columns `model` and `family`; other columns do not matter.

        Returns:
            `model`, `metric`, `unit`, `prediction`, `lower`, `upper` (in that unit) and `in_domain`: the rows
            of ``features`` in their order, each with all metrics.

        Raises:
            DataError: a column is missing or holds something else than finite numbers.
        """
        names = features.get("model", features.index)
        parts = []
        for name, metric in sorted(self.metrics.items()):
            part = metric.predict(features)
            part.insert(0, "model", names.astype(str).to_numpy(dtype=object))
            part.insert(1, "metric", name)
            parts.append(part)
        return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


def save_predictor(
    predictor: Predictor, folder: str | os.PathLike[str], more: Callable[[Path], None] | None = None
) -> None:
    """Write ``predictor`` to ``folder``, which is replaced as a whole or, where that fails, stays as it was.

    Args:
        predictor: what to write.
        folder: where to; of a link, what it leads to is replaced.
        more: writes what belongs beside it into the folder that it is given.

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
    """Yield a folder beside ``target``, deleted in the end; its `old` is put back where nothing took its place."""
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    old = aside / _OLD
    try:
        yield aside
    finally:
        if old.exists() and not target.exists():
            try:
                old.rename(target)
            except OSError as error:
                raise PredictorError(f"{target}: cannot be put back ({error.strerror}): it is kept as {old}") from error
        # By now all is done that was asked for: what cannot be deleted is no failure of it.
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
            metrics={name: _load_metric(directory, name, entry) for name, entry in manifest["metrics"].items()},
            target=manifest["target"],
            context=manifest["context"],
            training_digest=manifest["training_digest"],
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise PredictorError(f"{directory / MANIFEST}: does not describe a predictor ({error!r})") from error


def check_replaceable(folder: Path) -> None:
    """Refuse, before any work is done for it, a folder that `save_predictor` must not or cannot replace.

    Raises:
        UsageError: it holds something else than a predictor, is a link that leads nowhere, or cannot be written.
    """
    try:
        if folder.is_symlink() and not folder.exists():
            raise UsageError(f"{folder}: is a link that leads nowhere; remove it or name another folder")
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
    """Return the first entry of ``folder``, by name, that is no part of a predictor; None where all are."""
    beside = folder / "evaluation"
    entries = [*folder.iterdir(), *(beside.iterdir() if beside.is_dir() else ())]
    own = _names_of_predictor(folder / MANIFEST)
    return min({entry.relative_to(folder).as_posix() for entry in entries} - own, default=None)


def _names_of_predictor(path: Path) -> frozenset[str]:
    """Return what a folder may hold by its manifest in ``path``, of any version; nothing where it is no predictor's."""
    try:
        manifest = json.loads(path.read_bytes())
        version = manifest["schema_version"]
        files = {file for metric in manifest["metrics"].values() for file in metric["files"]}
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return frozenset()
    return _BESIDE | files | {MANIFEST} if isinstance(version, int) and files else frozenset()


def _write(predictor: Predictor, folder: Path) -> None:
    entries = {}
    for name, metric in predictor.metrics.items():
        files = to_files(name, metric.parts)
        for file, data in files.items():
            write_bytes(folder / file, data)
        entries[name] = {
            "unit": metric.unit,
            "algorithm": metric.algorithm,
            "features": list(metric.features),
            "families": list(metric.families),
            **metric.details,
            "files": {file: digest_of(data) for file, data in files.items()},
        }
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "perfcast_version": VERSION,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "target": predictor.target,
        "context": dict(predictor.context),
        "training_digest": predictor.training_digest,
        "metrics": entries,
    }
    write_json(folder / MANIFEST, seal(manifest))


def _load_metric(folder: Path, name: str, entry: dict[str, Any]) -> MetricPredictor:
    contents = {file: _read_verified(folder / Path(file).name, digest) for file, digest in entry["files"].items()}
    features, families = tuple(entry["features"]), tuple(entry["families"])
    algorithms = [member["algorithm"] for member in entry["members"]]
    return MetricPredictor(
        unit=entry["unit"],
        algorithm=entry["algorithm"],
        features=features,
        families=families,
        parts=from_files(name, algorithms, (len(features), len(families)), contents),
        details={key: entry[key] for key in ("members", "domain", "interval", "errors")},
    )


def _read_verified(path: Path, digest: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PredictorError(f"{path}: cannot be read ({error.strerror})") from error
    if digest_of(data) != digest:
        raise PredictorError(f"{path}: is damaged or was changed (its digest does not match the manifest)")
    return data
