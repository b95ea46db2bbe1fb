"""What a scan is asked to do."""

from __future__ import annotations

import math
from dataclasses import dataclass

from heavylift.connections import Connection
from heavylift.platforms.places import Place

SEED = 20260101
DEFAULT_BOUND = 0.01
MOST_COLUMNS = 2_000
"""Columns that are counted each for itself; further ones are counted together."""


@dataclass(frozen=True)
class ScanRequest:
    """A scan of one place, or of tables of one database.

    :param subject: the dataset's name in the spec; the URL or table where there is none.
    :param place: where objects lie; None for a database.
    :param tables: patterns of ``schema.table``; for a database.
    :param bound: share of units with personal data that may remain unseen, at 95 %.
    :param second_opinion: ask Presidio about a few candidates of each column.
    :param everything: read all, whatever the bound.
    """

    migration: str
    subject: str
    place: Place | None = None
    database: Connection | None = None
    tables: tuple[str, ...] = ()
    excluded_tables: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    bound: float = DEFAULT_BOUND
    everything: bool = False
    seed: int = SEED
    second_opinion: bool = False
    evidence_url: str | None = None
    evidence_connection: Connection | None = None

    @property
    def units(self) -> int:
        """How many units are to be drawn: 0 of n found leaves at most 3/n of them, at 95 %."""
        return math.ceil(3 / self.bound)
