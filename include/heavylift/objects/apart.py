"""Refusing a copy between places of which one lies inside the other."""

from __future__ import annotations

import os.path

from heavylift.errors import SpecError
from heavylift.locations import Location
from heavylift.objects.requests import TransferRequest
from heavylift.platforms.places import Place


def refuse_inside(request: TransferRequest) -> None:
    """Make sure that neither side of a copy lies inside the other; asks no store.

    Each run would copy what the run before has written, one folder deeper; the other way round, a key of
    the source could be written over by another one. What changes nothing may compare any two places.

    :raises SpecError: they are the same place, or one lies inside the other.
    """
    source, target = request.source, request.target
    if _store(source) != _store(target):
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


def _store(place: Place) -> tuple[str, ...]:
    """Return what tells apart two stores that may have containers of the same name."""
    scheme, connection = place.location.scheme, place.connection
    if scheme == "file" or connection is None:
        return (scheme,)
    address = connection.text("endpoint_url") or connection.host or ""
    own = {"s3": connection.text("region_name"), "az": connection.login}.get(scheme)
    return scheme, address, own or ""


def _path(location: Location) -> str:
    container = location.container
    if location.scheme == "file":
        container = os.path.realpath(container)
    return f"{container.rstrip('/')}/{location.prefix}"
