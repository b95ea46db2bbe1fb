"""Why a store is not moved, or not further: the errors, with their remedies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from heavylift.registry.requests import RegistryRequest


def touched_by_others(request: RegistryRequest, tables: list[str]) -> ConflictError:
    """Return the error for tables that somebody else has written to."""
    return ConflictError(
        f"bringing registry {request.registry!r} up to date",
        got=f"rows on the target that somebody else has written, changed or deleted, in {', '.join(tables)}",
        expected="tables as the last run left them",
        state="nothing was touched",
        remedy="keep clients away from the target's server until the switch; where what they wrote may be"
        " lost, run once with --overwrite (and --deletes propagate to take out what they added)",
        code="7112",
    )


def not_copied(request: RegistryRequest) -> NotFoundError:
    """Return the error for a sync before the copy is complete."""
    return NotFoundError(
        f"syncing registry {request.registry!r}",
        got="no complete copy on the target",
        expected="a copy that a sync can go on from",
        state="nothing was touched",
        remedy="run heavylift registry copy first, to its end, with the same migration and registry names",
        code="7113",
    )


def no_quarantine(request: RegistryRequest) -> ConflictError:
    """Return the error for a policy that rows do not have."""
    return ConflictError(
        f"moving registry {request.registry!r}",
        got="deletes: quarantine",
        expected="keep or propagate: rows of a database have no quarantine",
        state="nothing was touched",
        remedy="choose keep or propagate",
        code="7114",
    )
