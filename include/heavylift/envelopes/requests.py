"""What an act on envelopes is asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from heavylift.connections import Connection
from heavylift.platforms.places import Place

MIB = 2**20
PART_BYTES = 8 * MIB
MOST_OBJECTS = 100_000
"""Objects below one prefix: what is known of them is held in memory."""


@dataclass(frozen=True)
class KeyChoice:
    """A wrapping key.

    :param name: in its service; empty where the connection holds the key.
    """

    connection: Connection
    name: str = ""


@dataclass(frozen=True)
class EnvelopeRequest:
    """One act on the sealed objects below one prefix.

    :param name: of the envelope in the spec; under it evidence is kept.
    :param sealed: where sealed objects are, or go.
    :param plain: where they come from (seal) or go to (open); None for the other acts.
    :param new_key: what a rewrapping wraps with.
    :param replace: seal again what has changed on the source since it was sealed.
    :param part_bytes: of an upload, at least; a whole number of MiB.
    :param bandwidth: bytes a second, of what is read.
    """

    migration: str
    name: str
    sealed: Place
    key: KeyChoice
    plain: Place | None = None
    new_key: KeyChoice | None = None
    replace: bool = False
    dry_run: bool = False
    part_bytes: int = PART_BYTES
    bandwidth: float | None = None
