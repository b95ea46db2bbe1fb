"""What stops a move through the interface before anything is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.errors import ConflictError, NotFoundError
from heavylift.registry.rest.client import server_url
from heavylift.spec.vocabulary import Deletes

if TYPE_CHECKING:
    from heavylift.registry.requests import RegistryRequest


def demand_two(request: RegistryRequest) -> None:
    """Demand that both sides are not one server.

    :raises ConflictError: they are.
    """
    source, target = server_url(request.source.connection), server_url(request.target.connection)
    if source == target:
        raise ConflictError(
            f"moving registry {request.registry!r}",
            got=f"one server on both sides, {source}",
            expected="two servers",
            state="nothing was touched",
            remedy="name another target",
            code="7165",
        )


def demand_deletes_fit(request: RegistryRequest) -> None:
    """Demand that the policy on what has gone is one that this way can follow.

    :raises ConflictError: it is not.
    """
    if request.options.deletes is Deletes.QUARANTINE:
        raise _no_quarantine(request)
    if request.options.deletes is Deletes.PROPAGATE and not request.options.selection.is_everything:
        raise _no_propagation(request)


def _no_quarantine(request: RegistryRequest) -> ConflictError:
    return ConflictError(
        f"moving registry {request.registry!r} through its interface",
        got="deletes: quarantine",
        expected="keep or propagate: a tracking server has no quarantine",
        state="nothing was touched",
        remedy="choose keep or propagate",
        code="7166",
    )


def _no_propagation(request: RegistryRequest) -> ConflictError:
    return ConflictError(
        f"moving registry {request.registry!r} through its interface",
        got="deletes: propagate with a choice of experiments or models",
        expected="keep: what is chosen no more would count as gone from the source",
        state="nothing was touched",
        remedy="choose keep, or move all of it",
        code="9601",
    )


def not_copied(request: RegistryRequest) -> NotFoundError:
    """Return the error of a sync before a copy."""
    return NotFoundError(
        f"syncing registry {request.registry!r} through its interface",
        got="no experiment on the target that this migration made",
        expected="a copy that a sync can go on from",
        state="nothing was touched",
        remedy="run heavylift registry copy first, with the same migration and registry names",
        code="7164",
    )
