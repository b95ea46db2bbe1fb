"""What a comparison of two tables is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from heavylift.connections import Connection
from heavylift.evidence.monitor_records import WatchedSide
from heavylift.monitor.tables_read import MIB
from heavylift.platforms.places import Place

EFFECT, MISSING, UNSEEN, CONFIDENCE = 0.05, 0.05, 0.01, 0.95


@dataclass(frozen=True)
class DriftLimits:
    """From where on a difference is an alarm.

    :param effect: of a column's distribution, from 0 to 1; 0.05 is a mean that moved by a tenth of a standard
        deviation, or a population stability index of 0.01.
    :param missing: difference of the shares of rows without a value.
    :param unseen: share of rows whose category the reference has not.
    :param confidence: that no column of equal tables is an alarm, all taken together.
    :param by_column: effects of columns that are judged otherwise.
    :param judge_times: columns of times are judged, too; they move by themselves.
    """

    effect: float = EFFECT
    missing: float = MISSING
    unseen: float = UNSEEN
    confidence: float = CONFIDENCE
    by_column: dict[str, float] = field(default_factory=dict)
    judge_times: bool = False


@dataclass(frozen=True)
class Kept:
    """Whose evidence a look belongs to, and where that lies."""

    migration: str
    watch: str
    side: WatchedSide = ""
    run: str = ""
    evidence_url: str | None = None
    evidence_connection: Connection | None = None


@dataclass(frozen=True)
class DriftRequest:
    """Two tables to compare.

    :param reference: a place, or the path of a profile in the evidence store.
    :param columns: patterns of names; empty for all. ``ignore`` wins.
    :param include: patterns of the files' keys on both sides.
    """

    kept: Kept
    reference: Place | str
    current: Place
    columns: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limits: DriftLimits = field(default_factory=DriftLimits)
    memory_bytes: int = 256 * MIB


@dataclass(frozen=True)
class ProfileRequest:
    """A table to keep the profile of."""

    kept: Kept
    place: Place
    columns: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    memory_bytes: int = 256 * MIB
