"""Keeps a translation and its matrix in the evidence store."""

from __future__ import annotations

import io
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from heavylift.access.matrix import Row
from heavylift.evidence.access_records import AccessRecord, access_folder, translation_path
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.numbered import latest_number, write_next
from heavylift.evidence.store import PARQUET

if TYPE_CHECKING:
    from heavylift.access.api import Outcome
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.store import EvidenceStore


async def keep(store: EvidenceStore, outcome: Outcome) -> tuple[AccessRecord, EvidenceRef]:
    """Write the matrix and the record under the run's next number.

    Idempotency: nothing is overwritten; each call adds one.
    """
    run = outcome.record.run
    number = 1 + await latest_number(store, lambda n: translation_path(run, n))
    path = f"{access_folder(run)}/matrix-{number}-{outcome.record.digest[:12]}.parquet"
    ref = await store.write_bytes(path, matrix_bytes(outcome.rows), PARQUET)
    matrix = outcome.record.matrix.model_copy(update={"rows": ref})
    record = outcome.record.model_copy(update={"matrix": matrix})
    _, kept = await write_next(store, lambda n: translation_path(run, n), record, known=number - 1)
    return record, kept


async def note_translation(store: EvidenceStore, record: AccessRecord, ref: EvidenceRef, actor: str) -> None:
    """Note a translation in the migration's audit trail."""
    rows = record.matrix.rows
    await AuditTrail(store, record.run.migration).append(
        Act(
            actor=actor,
            action="access.translated",
            phase=record.run.phase,
            run=record.run.run,
            subject=record.digest,
            evidence=(ref, rows) if rows else (ref,),
            details=figures(record),
        )
    )


def figures(record: AccessRecord) -> dict[str, Any]:
    """Return a translation's figures."""
    return {
        "digest": record.digest,
        "identities": len(record.identities),
        "roles": len(record.roles),
        "bindings": len(record.bindings),
        "untranslated": len(record.untranslated),
        "unused": len(record.unused),
        "excess": record.matrix.excess,
        "accepted_excess": record.matrix.accepted_excess,
        "lost": record.matrix.lost,
        "passed": record.passed,
    }


def matrix_bytes(rows: list[Row]) -> bytes:
    """Return the rows as Parquet; the same rows make the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [each.name for each in fields(Row)]
    types = {"before": pa.bool_(), "after": pa.bool_()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in columns])
    table = pa.Table.from_pydict(
        {name: [getattr(row, name) for row in rows] for name in columns}, schema=schema
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()
