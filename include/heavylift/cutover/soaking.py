"""How far the soak is in which a rollback stays possible, by the evidence alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.switch_evidence import latest_final, latest_switch

_LONGEST_NOTICE = timedelta(days=1)


@dataclass(frozen=True)
class Soak:
    """A workload that is on the target, and that nobody has finalised.

    :param epoch: of the switch that brought it there.
    """

    epoch: int
    switched_at: datetime
    length: timedelta

    @property
    def notice(self) -> timedelta:
        """How long before its end people are told: a quarter of it, a day at most."""
        return min(self.length / 4, _LONGEST_NOTICE)

    @property
    def nears_at(self) -> datetime:
        """When its end is near."""
        return self.ends_at - self.notice

    @property
    def ends_at(self) -> datetime:
        """When it is over, and the way back may be closed."""
        return self.switched_at + self.length

    @property
    def overdue_at(self) -> datetime:
        """When it is over for so long that somebody has forgotten it."""
        return self.ends_at + self.notice


async def current_soak(store: EvidenceStore, migration: str, length: timedelta) -> Soak | None:
    """Return the soak that goes on, or is over and not finalised; None where there is none.

    :raises AuditError: a record is damaged.
    """
    kept = await latest_switch(store, migration, arrived=True)
    if kept is None or kept.record.goal != "target":
        return None
    final = await latest_final(store, migration)
    if final is not None and final.record.finalised_at >= kept.record.ended_at:
        return None
    return Soak(kept.record.epoch, kept.record.ended_at, length)
