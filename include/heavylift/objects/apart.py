"""Refusing a copy between places of which one lies inside the other."""

from __future__ import annotations

import os.path

from heavylift.errors import SpecError
from heavylift.evidence.location import evidence_location
from heavylift.evidence.paths import plan_path
from heavylift.locations import Location
from heavylift.objects.requests import SYNC, TransferRequest
from heavylift.patterns import selector
from heavylift.platforms.addresses import store_of
from heavylift.platforms.places import Place
from heavylift.spec.vocabulary import Phase


def refuse_overlaps(request: TransferRequest) -> None:
    """Make sure that what is copied, its copy and its evidence lie apart, where a copy is asked for.

    :raises SpecError: they do not; no store was asked.
    """
    if not request.options.dry_run or request.run.phase in (Phase.TRANSFER, SYNC):
        refuse_inside(request)
        refuse_evidence_inside(request)


def refuse_inside(request: TransferRequest) -> None:
    """Make sure that neither side of a copy lies inside the other; asks no store.

    Each run would copy what the run before has written, one folder deeper; the other way round, a key of
    the source could be written over by another one. What changes nothing may compare any two places.

    :raises SpecError: they are the same place, or one lies inside the other.
    """
    source, target = request.source, request.target
    if store_of(source) != store_of(target):
        return
    one, other = _path(source.location), _path(target.location)
    if one.startswith(other) or other.startswith(one):
        raise SpecError(
            f"planning of dataset {request.dataset!r}",
            got=f"the target {target.location} for the source {source.location}",
            expected="places of which none lies inside the other",
            state="nothing was touched",
            remedy="name a place beside the source's: a copy into its own source never ends",
            code="9224",
        )


def refuse_evidence_inside(request: TransferRequest, *, both_ways: bool = False) -> None:
    """Make sure that evidence of a copy is no part of what is copied; asks no store.

    Each run writes more of it, so that no run would find the source as the one before has left it.

    :param both_ways: the target is copied, too.
    :raises SpecError: it lies inside the source, and no pattern leaves it out.
    """
    for copied in (request.source, request.target)[: 1 + both_ways]:
        _refuse_evidence_in(copied, request)


def _refuse_evidence_in(copied: Place, request: TransferRequest) -> None:
    location = evidence_location(request.evidence_url, request.evidence_connection)
    evidence = Place(location, request.evidence_connection)
    below, root = _path(location), _path(copied.location)
    if store_of(evidence) != store_of(copied) or not below.startswith(root):
        return
    rel = below[len(root) :]
    chosen = selector(request.options.include, request.options.exclude)
    if chosen(f"{rel}{plan_path(request.run, request.dataset)}"):
        raise SpecError(
            f"planning of dataset {request.dataset!r}",
            got=f"evidence in {location}, inside of {copied.location}",
            expected="evidence that is no part of what is copied",
            state="nothing was touched",
            remedy=f"name another place for evidence, or exclude {rel}**",
            code="9230",
        )


def _path(location: Location) -> str:
    container = location.container
    if location.scheme == "file":
        container = os.path.realpath(container)
    return f"{container.rstrip('/')}/{location.prefix}"
