"""Who may mirror a stream: a lease in the map topic, decided by the order of its records alone.

Nobody's clock is compared with anybody else's. Whoever finds a lease that is held watches for as long as a
lease lasts: if its owner writes another beat, it is alive and the newcomer is refused; if not, the newcomer
claims the next epoch. Of two that claim the same epoch the first record in the topic wins. An owner that was
taken for dead reads the newer claim before its next batch and stops.

A sign of life that an owner reads back assures it for a part of its lease; without a recent one it waits for
the next to come back before it sends anything.

What remains: an owner that is frozen for longer than its lease while records are on their way, which then
arrive after another has taken over. Brokers with transactions refuse those; elsewhere the new owner's next
comparison of the tail, or a verification, finds them, and nothing goes on quietly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

HELD = "held"
RELEASED = "released"


@dataclass(frozen=True)
class Lease:
    """The lease as the topic's records so far tell it.

    :param epoch: rises with each owner; 0 before the first.
    :param beat: rises with each sign of life of one owner.
    """

    epoch: int = 0
    runner: str = ""
    state: str = RELEASED
    beat: int = 0

    @property
    def held(self) -> bool:
        """Whether somebody mirrors, or did when it was lost."""
        return self.state == HELD

    def after(self, record: Lease) -> Lease:
        """Return the lease once ``record`` has followed; a claim that came too late changes nothing."""
        if record.epoch == self.epoch + 1 and record.state == HELD:
            return record
        if record.epoch == self.epoch and record.runner == self.runner:
            return record
        return self

    def claimed_by(self, runner: str) -> Lease:
        """Return the claim that ``runner`` writes on top of this."""
        return Lease(self.epoch + 1, runner, HELD, 0)

    def beaten(self) -> Lease:
        """Return this owner's next sign of life."""
        return replace(self, beat=self.beat + 1)

    def released(self) -> Lease:
        """Return the end of this owner's work."""
        return replace(self, state=RELEASED, beat=self.beat + 1)
