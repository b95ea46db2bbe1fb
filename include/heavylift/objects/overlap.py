"""Finds out whether another worker was at the same shard at the same time.

Airflow may take a worker for dead that only was cut off, and start a second one. Both then copy
the shard. That does no harm: writes are create-only or bound to a version, and who comes second
finds an equal object. But whoever reads the evidence has to know of it. Every attempt leaves a
file when it begins and one when it ends, so at least one of the two sees the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from heavylift.evidence.paths import attempt_folder, shard_folder
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import EvidenceStore


@dataclass(frozen=True)
class Overlap:
    """Looks at a shard's folder when an attempt has begun, and again when it ends.

    :param seen: what was there when it had begun.
    """

    evidence: EvidenceStore
    run: RunKey
    dataset: str
    shard: int
    attempt: int
    seen: frozenset[str]

    @classmethod
    async def since_now(
        cls, evidence: EvidenceStore, run: RunKey, dataset: str, shard: int, attempt: int
    ) -> Overlap:
        """Remember what is in the shard's folder now."""
        seen = frozenset(await evidence.names(shard_folder(run, dataset, shard)))
        return cls(evidence, run, dataset, shard, attempt, seen)

    async def attempts(self) -> tuple[int, ...]:
        """Return the numbers of other attempts that have left something since then."""
        names = await self.evidence.names(shard_folder(self.run, self.dataset, self.shard))
        mine = attempt_folder(self.run, self.dataset, self.shard, self.attempt)
        new = (name for name in names if name not in self.seen and not name.startswith(f"{mine}/"))
        return tuple(sorted({int(name.split("/")[-2]) for name in new}))
