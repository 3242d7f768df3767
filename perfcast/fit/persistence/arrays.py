"""Fitted regressors as files that any later version can read and that cannot run code.

A metric is one `.npz` of plain arrays, named `domain.<attribute>`, `intervals.<attribute>`,
`outlier_bounds.<attribute>`, `experts.<attribute>` and, for each regressor, `<number>.encoding.<attribute>` and
`<number>.learner.<attribute>`.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_type_hints

import numpy as np

from perfcast.errors import PredictorError
from perfcast.features.plausible import OutlierBounds
from perfcast.fit.domain import Domain
from perfcast.fit.encoding import Encoding
from perfcast.fit.fitted import Ensemble, Fitted
from perfcast.fit.intervals import Intervals
from perfcast.fit.learners import LEARNERS
from perfcast.fit.linear import LinearModel
from perfcast.fit.mixture import MixtureOfExperts
from perfcast.fit.options import LINEAR
from perfcast.fit.persistence.validation import check_model
from perfcast.fit.predictor import MetricModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.fit.inputs import InputColumns

MAX_BYTES = 2**30

# All that `zipfile` and NumPy raise for archives that nobody wrote in earnest.
_UNREADABLE = (
    *(ValueError, OSError, EOFError, KeyError, RuntimeError, OverflowError, MemoryError, SyntaxError),
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error),
)

Part = TypeVar("Part")

Arrays = dict[str, np.ndarray]


class Shape(NamedTuple):
    """What the arrays of a metric must fit: its columns, a combination of their factors, how many families it knows."""

    columns: InputColumns
    combination: np.ndarray
    families: int

    @property
    def inputs(self) -> int:
        """How many inputs learners are given besides families."""
        return len(self.columns.expanded_names)


def to_bytes(model: MetricModel) -> bytes:
    """Return the content of the file of a metric."""
    arrays = _flat("domain", model.domain) | _flat("intervals", model.intervals)
    arrays |= _flat("outlier_bounds", model.ensemble.outlier_bounds)
    if model.ensemble.experts is not None:
        arrays |= _flat("experts", model.ensemble.experts)
    for number, member in enumerate(model.ensemble.members):
        arrays |= _flat(str(number), member)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def from_bytes(npz: str, algorithms: Sequence[str], shape: Shape, data: bytes) -> MetricModel:
    """Return what `to_bytes` made ``data`` of.

    Args:
        npz: the file's name, for messages.
        algorithms: of the members.
        shape: what they must fit.
        data: the file's content.

    Raises:
        PredictorError: the file is damaged, or does not hold what it should.
    """
    arrays = _read_arrays(npz, data)
    members = tuple(_member(npz, str(number), algorithm, arrays) for number, algorithm in enumerate(algorithms))
    has_experts = any(key.startswith("experts.") for key in arrays)
    experts = _part(npz, "experts", MixtureOfExperts, arrays) if has_experts else None
    bounds = _part(npz, "outlier_bounds", OutlierBounds, arrays)
    model = MetricModel(
        Ensemble(shape.columns, bounds, members, experts),
        _part(npz, "domain", Domain, arrays),
        _part(npz, "intervals", Intervals, arrays),
    )
    check_model(npz, model, len(shape.columns.features), shape.inputs, shape.families)
    _try_out(npz, model, shape)
    return model


def _member(npz: str, prefix: str, algorithm: str, arrays: Arrays) -> Fitted | LinearModel:
    if algorithm == LINEAR:
        return _part(npz, prefix, LinearModel, arrays)
    return Fitted(
        _part(npz, f"{prefix}.encoding", Encoding, arrays), _part(npz, f"{prefix}.learner", LEARNERS[algorithm], arrays)
    )


def _flat(prefix: str, value: Any) -> dict[str, np.ndarray]:
    """Return the arrays of ``value``, a dataclass of arrays and such dataclasses, by their paths."""
    found: dict[str, np.ndarray] = {}
    for field in fields(value):
        inner, path = getattr(value, field.name), f"{prefix}.{field.name}"
        found |= _flat(path, inner) if is_dataclass(inner) else {path: np.asarray(inner)}
    return found


def _read_arrays(name: str, data: bytes) -> Arrays:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise PredictorError(f"{name}: unpacks to more than any predictor holds")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except _UNREADABLE as error:
        raise PredictorError(f"{name}: is not a file of plain arrays ({error})") from error
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fi" or not np.isfinite(array).all():
            raise PredictorError(f"{name}: '{key}' holds values that are not finite numbers")
    return arrays


def _part(name: str, part: str, kind: type[Part], arrays: Arrays) -> Part:
    """Return the dataclass that `_flat` took apart."""
    values: dict[str, Any] = {}
    hints = get_type_hints(kind)
    for field in fields(kind):  # type: ignore[arg-type]
        path, inner = f"{part}.{field.name}", hints[field.name]
        if isinstance(inner, type) and is_dataclass(inner):
            values[field.name] = _part(name, path, inner, arrays)
        elif path in arrays:
            values[field.name] = arrays[path]
        else:
            raise PredictorError(f"{name}: lacks the array {path!r}")
    return kind(**values)


def _try_out(name: str, model: MetricModel, shape: Shape) -> None:
    """Predict at both ends of the domain, so that arrays that do not fit together are found while loading."""
    domain = model.domain
    try:
        with np.errstate(all="ignore"):
            ends = np.stack([domain.low, domain.high])
            features = np.vstack([np.sign(ends) * np.expm1(np.abs(ends)), np.ones(ends.shape[1])])
            inputs = shape.columns.with_factors(features, shape.combination)
            expanded, family_codes = shape.columns.expanded(inputs), np.zeros((len(inputs), shape.families))
            # One that is outvoted makes a prediction, too, and may not be outvoted elsewhere.
            alone = [member.predict(expanded, family_codes) for member in model.ensemble.members]
            prediction = model.ensemble.predict(inputs, family_codes)
            inside = domain.contains(features)
    except (ValueError, IndexError, TypeError, MemoryError) as error:
        raise PredictorError(f"{name}: its arrays are inconsistent ({_first_line(error)})") from error
    if any(made.shape != (3,) or not np.isfinite(made).all() for made in (*alone, *prediction)) or inside.shape != (3,):
        raise PredictorError(f"{name}: its arrays give no valid prediction")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
