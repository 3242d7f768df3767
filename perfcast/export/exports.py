"""Exports that were made: a shard's manifest of them, what its bundle holds, and the model database."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from perfcast.export.bundle import read_bundle
from perfcast.export.key import export_key
from perfcast.export.program import Program
from perfcast.models.spec import DESCRIPTOR, ModelSpec
from perfcast.storage import canonical_json, read_json

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd

    from perfcast.export.artifacts import ArtifactStore


@dataclass(frozen=True)
class Export:
    """A spec, the artifact it became and that artifact's programs, one entry per format."""

    spec: ModelSpec
    artifact: str
    programs: tuple[Program, ...] = ()

    def program(self, formats: Sequence[str]) -> Program:
        """Return the first of these formats that there is a program of; where there is none, why."""
        of_format = {program.format: program for program in self.programs}
        known = [of_format[name] for name in formats if name in of_format]
        found = next((program for program in known if program.digest), None)
        reason = "; ".join(program.reason for program in known) or f"there is no converter to {' or '.join(formats)}"
        return found or Program(formats[0] if formats else "", "", reason=reason)

    def to_dict(self) -> dict[str, Any]:
        """Return the export as JSON-ready values, a manifest's entry."""
        programs = [asdict(program) for program in self.programs]
        return {"spec": self.spec.to_dict(), "artifact": self.artifact, "programs": programs}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Export:
        """Return the export that `to_dict` described."""
        programs = tuple(Program.from_dict(entry) for entry in values["programs"])
        return cls(ModelSpec.from_dict(values["spec"]), values["artifact"], programs)


def restore(manifest: str | os.PathLike[str], bundle: str | os.PathLike[str], store: ArtifactStore) -> list[Export]:
    """Return the exports that a shard's manifest lists; what the store lacks of them comes from their bundle.

    Raises:
        StoreError: the manifest or the bundle is damaged.
    """
    exports = [Export.from_dict(entry) for entry in read_json(manifest)]
    store.unpack([(export.artifact, export.programs) for export in exports], bundle)
    for export in exports:
        key = export_key(export.spec)
        if store.find_export(key) != export.artifact:
            store.put_export(key, export.artifact)
        for program in export.programs:
            if store.find_program(export.artifact, program.key) != program:
                store.put_record(program)
    return exports


def bundled_descriptors(manifest: str | os.PathLike[str], bundle: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return the descriptors of the exports that a shard's manifest lists, without any store.

    Raises:
        StoreError: the manifest or the bundle is damaged.
    """
    wanted = {Export.from_dict(entry).artifact: [DESCRIPTOR] for entry in read_json(manifest)}
    return [json.loads(files[DESCRIPTOR]) for _, files in read_bundle(bundle, wanted)]


def model_table(exports: list[Export], store: ArtifactStore) -> pd.DataFrame:
    """Return the model database: one row per export, sorted by model; docs/data-model.md lists the columns."""
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
