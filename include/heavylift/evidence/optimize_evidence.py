"""What a run of the phase optimize has left behind: results by kind and name, and what it proposes.

Read by the gate, the summary and the report, so that all three judge the same files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heavylift.evidence.optimize_records import (
    OPTIMIZE_FOLDER,
    MixRecord,
    OptimizeKind,
    ProposalRecord,
    SizeRecord,
    StudyRecord,
    proposal_path,
    result_path,
)
from heavylift.evidence.paths import original_text
from heavylift.evidence.run_evidence import Kept, read_latest

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.numbered import PathOf
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore

OPTIMIZE_PHASE = "optimize"
_RESULT = re.compile(rf".*/{OPTIMIZE_FOLDER}/(trials|rightsizing|mix)/([^/]+)/result-\d+\.json")


@dataclass(frozen=True)
class OptimizeEvidence:
    """The latest records of one run, by name."""

    run: RunKey
    trials: Mapping[str, Kept[StudyRecord]] = field(default_factory=dict)
    sizes: Mapping[str, Kept[SizeRecord]] = field(default_factory=dict)
    mixes: Mapping[str, Kept[MixRecord]] = field(default_factory=dict)
    proposal: Kept[ProposalRecord] | None = None

    @property
    def refs(self) -> tuple[EvidenceRef, ...]:
        """The files that all this was read from, and those that they refer to."""
        found = [kept.ref for kept in self.results]
        found += [ref for kept in self.trials.values() for ref in kept.record.trials]
        if self.proposal is not None:
            found.append(self.proposal.ref)
            found += [self.proposal.record.patch] if self.proposal.record.patch else []
        return tuple(found)

    @property
    def results(self) -> tuple[Kept[StudyRecord] | Kept[SizeRecord] | Kept[MixRecord], ...]:
        """All results, in the order of kinds and names."""
        return (*self.trials.values(), *self.sizes.values(), *self.mixes.values())

    @property
    def proposed_of_others(self) -> tuple[str, ...]:
        """Results that the proposal was not made of: they are newer than it."""
        if self.proposal is None:
            return ()
        used = set(self.proposal.record.made_of)
        return tuple(kept.ref.path for kept in self.results if kept.ref not in used)


async def read_optimize(store: EvidenceStore, run: RunKey) -> OptimizeEvidence:
    """Read the latest records of ``run``.

    :raises AuditError: a record is damaged.
    """
    found: dict[str, set[str]] = {"trials": set(), "rightsizing": set(), "mix": set()}
    for path in await store.names(f"{run.folder}/{OPTIMIZE_FOLDER}"):
        match = _RESULT.fullmatch(path)
        if match:
            found[match[1]].add(original_text(match[2]) or match[2])

    def path_of(kind: OptimizeKind, name: str) -> PathOf:
        return lambda number: result_path(run, kind, name, number)

    studies, sizes, mixes = (sorted(found[kind]) for kind in ("trials", "rightsizing", "mix"))
    tried = {name: await read_latest(store, path_of("trials", name), StudyRecord) for name in studies}
    sized = {name: await read_latest(store, path_of("rightsizing", name), SizeRecord) for name in sizes}
    mixed = {name: await read_latest(store, path_of("mix", name), MixRecord) for name in mixes}
    return OptimizeEvidence(
        run,
        {name: kept for name, kept in tried.items() if kept},
        {name: kept for name, kept in sized.items() if kept},
        {name: kept for name, kept in mixed.items() if kept},
        await read_latest(store, lambda number: proposal_path(run, number), ProposalRecord),
    )
