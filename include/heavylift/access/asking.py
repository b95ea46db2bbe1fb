"""Asks the target's own documents what the translation's matrix asked: denials there have a say, too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from heavylift.access.api import AccessRequest, making_of
from heavylift.access.matrix import Row
from heavylift.access.platforms import bundle_of
from heavylift.access.verify import verify_access
from heavylift.errors import IncompleteError
from heavylift.evidence.access_records import (
    AccessDifference,
    AccessMatrix,
    AccessRecord,
    AccessVerification,
)
from heavylift.evidence.records import MAX_LISTED


@dataclass(frozen=True)
class Asked:
    """A comparison, and the rows of the matrix that the target's documents answered."""

    record: AccessVerification
    rows: list[Row] = field(repr=False)


def compare_on_target(
    record: AccessRecord, request: AccessRequest, found: Iterable[tuple[str, Any]]
) -> Asked:
    """Compare the target's documents with a translation, permission by permission and answer by answer.

    Idempotency: nothing is changed; the same documents give the same record but for its time.

    :param request: what the translation was made of.
    :param found: (file, document) for each of the target's documents.
    :raises IncompleteError: the source's documents are not those of the translation any more.
    :raises SpecError: a document cannot be used.
    """
    documents = list(found)
    compared = verify_access(record, documents, request.run)
    making = making_of(request)
    translated = making.outcome()
    if translated.record.digest != record.digest:
        raise IncompleteError(
            "asking the target what the translation's matrix asked",
            got=f"documents that translate to {translated.record.digest[:12]}…",
            expected=f"those of the run's translation, {record.digest[:12]}…",
            state="nothing was compared",
            remedy="clear the task that translates the permissions with Downstream",
            code="9118",
        )
    making.documents = bundle_of(making.names.target, documents)
    rows = making.answers()
    differ = [real for real, row in zip(rows, translated.rows, strict=True) if real.after != row.after]
    differences = (*compared.differences, *map(_difference, differ))
    made = compared.model_copy(
        update={
            "difference_count": compared.difference_count + len(differ),
            "differences": differences[:MAX_LISTED],
            "passed": compared.passed and not differ,
            "matrix": _matrix(rows, record.matrix.accepted_excess),
        }
    )
    return Asked(made, rows)


def _matrix(rows: list[Row], accepted: int) -> AccessMatrix:
    excess = sum(row.excess for row in rows)
    return AccessMatrix(
        questions=len(rows),
        kept=sum(row.before and row.after for row in rows),
        lost=sum(row.before and not row.after for row in rows),
        excess=max(0, excess - accepted),
        accepted_excess=min(excess, accepted),
    )


def _difference(row: Row) -> AccessDifference:
    word = "allowed" if row.after else "refused"
    return AccessDifference(
        kind="matrix",
        identity=row.identity,
        permission=f"{row.operation} ({word})",
        scope=row.resource,
        condition=row.context,
        remedy="look for a denial or a further grant on the target, and mend it there",
    )
