"""Exports that were made: a shard's manifest of them, what its bundle holds, and the model database."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.export.bundle import read_bundle
from perfcast.export.key import export_key
from perfcast.models.spec import DESCRIPTOR, ModelSpec
from perfcast.storage import canonical_json, read_json

if TYPE_CHECKING:
    import os

    import pandas as pd

    from perfcast.export.artifacts import ArtifactStore


@dataclass(frozen=True)
class Export:
    """A spec and the artifact it became."""

    spec: ModelSpec
    artifact: str

    def to_dict(self) -> dict[str, Any]:
        """Return the export as JSON-ready values, a manifest's entry."""
        return {"spec": self.spec.to_dict(), "artifact": self.artifact}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Export:
        """Return the export that `to_dict` described."""
        return cls(ModelSpec.from_dict(values["spec"]), values["artifact"])


def restore(manifest: str | os.PathLike[str], bundle: str | os.PathLike[str], store: ArtifactStore) -> list[Export]:
    """Return the exports that a shard's manifest lists; what the store lacks of them comes from their bundle.

    Raises:
        StoreError: the manifest or the bundle is damaged.
    """
    exports = [Export.from_dict(entry) for entry in read_json(manifest)]
    store.unpack([export.artifact for export in exports], bundle)
    for export in exports:
        key = export_key(export.spec)
        if store.find_export(key) != export.artifact:
            store.put_export(key, export.artifact)
    return exports


def bundled_descriptors(manifest: str | os.PathLike[str], bundle: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return the descriptors of the exports that a shard's manifest lists, without any store.

    Raises:
        StoreError: the manifest or the bundle is damaged.
    """
    digests = [Export.from_dict(entry).artifact for entry in read_json(manifest)]
    return [json.loads(files[DESCRIPTOR]) for _, files in read_bundle(bundle, digests)]


def model_table(exports: list[Export], store: ArtifactStore) -> pd.DataFrame:
    """Return the model database: a row an export, sorted by model; docs/data-model.md lists the columns."""
    import pandas as pd

    rows = [_model_row(export, store) for export in sorted(exports, key=lambda export: export.spec.model)]
    return pd.DataFrame(rows)


def _model_row(export: Export, store: ArtifactStore) -> dict[str, str]:
    spec = export.spec
    rebuild = {"builder": spec.builder, "input_shape": list(spec.input_shape), "seed": spec.seed}
    return {
        "model": spec.model,
        "name": spec.name,
        "family": spec.family,
        "input_size": spec.size,
        "source": spec.source,
        "location": str(store.location(export.artifact)),
        "digest": export.artifact,
        "parameters": canonical_json(rebuild | spec.parameters).decode(),
    }
