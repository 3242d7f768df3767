"""Fitted regressors as files that any later version can read and that cannot run code.

A metric is one `.npz` of plain arrays, named `domain.<attribute>`, `intervals.<attribute>` and, for each regressor
that votes, `<number>.encoding.<attribute>` and `<number>.learner.<attribute>`; XGBoost's learner is its own JSON
instead of the latter.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from perfcast.errors import PredictorError
from perfcast.fit.domain import Domain
from perfcast.fit.encoding import Encoding
from perfcast.fit.fitted import Ensemble, Fitted
from perfcast.fit.intervals import Intervals
from perfcast.fit.learners import LEARNERS, Boosted, Forest, GaussianProcess, Learner
from perfcast.fit.soundness import check_domain, check_encoding, check_forest, check_intervals, check_process
from perfcast.fit.xgboost_json import checked_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_BYTES = 2**30

# All that `zipfile` and NumPy raise for archives that nobody wrote in earnest.
_UNREADABLE = (
    *(ValueError, OSError, EOFError, KeyError, RuntimeError, OverflowError, MemoryError, SyntaxError),
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error),
)

Part = TypeVar("Part")


class Parts(NamedTuple):
    """What a metric's forecasts are made of."""

    forecaster: Ensemble
    domain: Domain
    intervals: Intervals


def to_files(metric: str, parts: Parts) -> dict[str, bytes]:
    """Return the contents of the files of ``metric``, by file name."""
    named: dict[str, Any] = {"domain": parts.domain, "intervals": parts.intervals}
    files = {}
    for number, member in enumerate(parts.forecaster.members):
        named[f"{number}.encoding"] = member.encoding
        if isinstance(member.learner, Boosted):
            files[_json_name(metric, number)] = member.learner.model
        else:
            named[f"{number}.learner"] = member.learner
    arrays = {
        f"{part}.{field.name}": np.asarray(getattr(value, field.name))
        for part, value in named.items()
        for field in fields(value)
    }
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return {f"{metric}.npz": buffer.getvalue(), **files}


def from_files(metric: str, algorithms: Sequence[str], features: int, files: Mapping[str, bytes]) -> Parts:
    """Return what `to_files` made ``files`` of.

    Args:
        metric: its name, which the files bear.
        algorithms: of the members.
        features: how many they take.
        files: contents by file name.

    Raises:
        PredictorError: a file is missing, damaged, or does not hold what it should.
    """
    npz = f"{metric}.npz"
    arrays = _read_arrays(npz, _file(npz, files))
    domain = _part(npz, "domain", Domain, arrays)
    intervals = _part(npz, "intervals", Intervals, arrays)
    check_domain(npz, domain, features)
    check_intervals(npz, intervals)
    members = []
    for number, algorithm in enumerate(algorithms):
        if algorithm not in LEARNERS:
            raise PredictorError(f"metric '{metric}': unknown algorithm '{algorithm}'")
        encoding = _part(npz, f"{number}.encoding", Encoding, arrays)
        check_encoding(npz, encoding, features)
        name = _json_name(metric, number) if algorithm == "xgboost" else npz
        learner: Learner
        if algorithm == "xgboost":
            learner = Boosted(checked_model(name, _file(name, files), len(encoding.mean)))
        else:
            learner = _part(npz, f"{number}.learner", LEARNERS[algorithm], arrays)
        members.append(Fitted(encoding, learner))
        _try_out(name, members[-1], domain)
    return Parts(Ensemble(tuple(members)), domain, intervals)


def _json_name(metric: str, member: int) -> str:
    return f"{metric}.{member}.xgb.json"


def _file(name: str, files: Mapping[str, bytes]) -> bytes:
    if name not in files:
        raise PredictorError(f"{name}: is missing from the predictor")
    return files[name]


def _read_arrays(name: str, data: bytes) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise PredictorError(f"{name}: unpacks to more than a predictor can be")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except _UNREADABLE as error:
        raise PredictorError(f"{name}: is not a file of plain arrays ({error})") from error
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fi" or not np.isfinite(array).all():
            raise PredictorError(f"{name}: '{key}' holds something else than finite numbers")
    return arrays


def _part(name: str, part: str, kind: type[Part], arrays: Mapping[str, np.ndarray]) -> Part:
    try:
        values = {field.name: arrays[f"{part}.{field.name}"] for field in fields(kind)}  # type: ignore[arg-type]
    except KeyError as error:
        raise PredictorError(f"{name}: lacks the array {error}") from error
    return kind(**values)


def _try_out(name: str, fitted: Fitted, domain: Domain) -> None:
    """Forecast at both ends of the domain, so that arrays that do not fit together are found while loading."""
    if isinstance(fitted.learner, Forest):
        check_forest(name, fitted.learner)
    if isinstance(fitted.learner, GaussianProcess):
        check_process(name, fitted.learner)
    try:
        with np.errstate(all="ignore"):
            ends = np.stack([domain.low, domain.high])
            inputs = np.vstack([np.sign(ends) * np.expm1(np.abs(ends)), np.ones(ends.shape[1])])
            forecast = fitted.predict(inputs)
            inside = domain.contains(inputs)
    except (ValueError, IndexError, TypeError, MemoryError) as error:  # XGBoostError is a ValueError
        raise PredictorError(f"{name}: its numbers do not fit together ({_first_line(error)})") from error
    if forecast.shape != (3,) or inside.shape != (3,) or not np.isfinite(forecast).all():
        raise PredictorError(f"{name}: its numbers do not make a forecast")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
