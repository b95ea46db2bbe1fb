"""Keeps a translation and its matrix in the evidence store."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from heavylift.access.matrix import Row
from heavylift.errors import IncompleteError, NotFoundError
from heavylift.evidence.access_records import (
    AccessRecord,
    AccessVerification,
    access_folder,
    translation_path,
    verification_path,
)
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.canonical import sha256_hex
from heavylift.evidence.numbered import latest_number, write_next
from heavylift.evidence.store import HTML, PARQUET

if TYPE_CHECKING:
    from heavylift.access.api import Outcome
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore


Page = Callable[[AccessRecord, Sequence[Row]], str]


async def keep(store: EvidenceStore, outcome: Outcome, page: Page) -> tuple[AccessRecord, EvidenceRef]:
    """Write the matrix, the page and the record under the run's next number.

    Idempotency: nothing is overwritten; each call adds one. The record comes last: what a call that was
    killed left behind is no translation.

    :param page: makes the page.
    """
    run = outcome.record.run
    number = 1 + await latest_number(store, lambda n: translation_path(run, n))
    path = f"{access_folder(run)}/matrix-{number}-{outcome.record.digest[:12]}.parquet"
    ref = await store.write_bytes(path, matrix_bytes(outcome.rows), PARQUET)
    matrix = outcome.record.matrix.model_copy(update={"rows": ref})
    record = outcome.record.model_copy(update={"matrix": matrix})
    html = page(record, outcome.rows).encode("utf-8", "backslashreplace")
    await store.write_bytes(f"{access_folder(run)}/access-{number}-{record.digest[:12]}.html", html, HTML)
    _, kept = await write_next(store, lambda n: translation_path(run, n), record, known=number - 1)
    return record, kept


async def note_translation(
    store: EvidenceStore,
    record: AccessRecord,
    ref: EvidenceRef,
    actor: str,
    attempt: Mapping[str, Any] | None = None,
) -> None:
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
            details={**figures(record), **(attempt or {})},
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


def matrix_bytes(rows: Sequence[Row]) -> bytes:
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


async def latest_translation(store: EvidenceStore, run: RunKey) -> AccessRecord:
    """Return the run's newest translation.

    :raises NotFoundError: it has none.
    """
    number = await latest_number(store, lambda n: translation_path(run, n))
    if number:
        return await store.read_record(translation_path(run, number), AccessRecord)
    raise NotFoundError(
        f"verifying the permissions of run {run.run}",
        got="no translation in the evidence store",
        expected="one",
        state="nothing was compared",
        remedy="translate the permissions first",
        code="8109",
    )


async def keep_verification(
    store: EvidenceStore,
    made: AccessVerification,
    actor: str,
    attempt: Mapping[str, Any] | None = None,
    rows: Sequence[Row] = (),
) -> EvidenceRef:
    """Write a verification under the run's next number, and note it in the audit trail.

    :param rows: the matrix that the target's documents answered; it is written first.
    """
    run = made.run
    if made.matrix is not None:
        data = matrix_bytes(rows)
        path = f"{access_folder(run)}/target-matrix-{sha256_hex(data)}.parquet"
        kept = await store.write_bytes(path, data, PARQUET)
        made = made.model_copy(update={"matrix": made.matrix.model_copy(update={"rows": kept})})
    _, ref = await write_next(store, lambda n: verification_path(run, n), made)
    figures = {"compared": made.compared, "differences": made.difference_count, "passed": made.passed}
    await AuditTrail(store, run.migration).append(
        Act(
            actor=actor,
            action="access.verified",
            phase=run.phase,
            run=run.run,
            subject=made.digest,
            evidence=(ref,),
            details={**figures, **(attempt or {})},
        )
    )
    return ref


def require_no_growth(record: AccessRecord) -> None:
    """Do nothing where nobody gets more than before.

    :raises IncompleteError: somebody would.
    """
    if not record.passed:
        raise IncompleteError(
            "translating permissions",
            got="; ".join(record.failures[:3]),
            expected="nobody who may do more on the target than on the source",
            state="the translation is kept as evidence; nothing was applied",
            remedy="take the permission away on the source, or leave it out, and translate again",
            code="8108",
        )


def require_equal(made: AccessVerification) -> None:
    """Do nothing where the target has exactly what was translated.

    :raises IncompleteError: it differs.
    """
    if not made.passed:
        first = made.differences[0]
        raise IncompleteError(
            "verifying the target's permissions",
            got=f"{made.difference_count} differences, first: {first.kind} {first.permission}"
            f" for {first.identity} on {first.scope}",
            expected=f"what translation {made.digest[:12]} says",
            state="the differences are kept as evidence; nothing was changed",
            remedy=first.remedy,
            code="8110",
        )
