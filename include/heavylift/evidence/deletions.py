"""What is told of a deletion: its counts, and what the audit trail keeps of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heavylift.evidence.records import DeletesRecord


def deletion_counts(record: DeletesRecord) -> dict[str, int]:
    """Return objects by ``planned`` and by outcome."""
    outcomes = {name: tally.objects for name, tally in record.outcomes.items()}
    return {"planned": record.planned.objects, **outcomes}


def deletion_details(record: DeletesRecord) -> dict[str, Any]:
    """Return the details of the act ``gone.deleted``, whoever notes it."""
    details: dict[str, Any] = {"policy": record.policy, **deletion_counts(record)}
    if record.allowed_beyond_brake:
        details["allowed_although"] = record.allowed_beyond_brake
    return details
