"""A place: a location in a store together with the connection that opens it."""

from __future__ import annotations

from dataclasses import dataclass

from heavylift.connections import Connection
from heavylift.locations import Location


@dataclass(frozen=True)
class Place:
    """One side of a move.

    :param connection: None where the location needs none (``file://``).
    """

    location: Location
    connection: Connection | None = None
