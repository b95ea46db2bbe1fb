"""One migration in full, section by section; one damaged record takes away no more than itself."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

from heavylift.board.after import AfterView, read_after
from heavylift.board.beside import read_beside
from heavylift.board.judged import Judged, read_judged
from heavylift.board.lines import MigrationLine, read_line
from heavylift.board.listing import Listing, read_listing
from heavylift.board.moving import LagSeries, Progress, read_lag, read_progress
from heavylift.board.reader import Reader, Trouble
from heavylift.board.switched import SwitchView, read_switched
from heavylift.board.told import FindingLine, TrailView, read_findings, read_trail
from heavylift.evidence.store import EvidenceStore
from heavylift.report.beside import Told
from heavylift.spec import MigrationSpec, spec_digest

_KEPT = 64


@dataclass(frozen=True)
class Detail:
    """All that the board tells of one migration.

    :param fingerprint: changes with everything that is told.
    :param troubles: what could not be read.
    """

    line: MigrationLine
    fingerprint: str
    progress: tuple[Progress, ...]
    lag: tuple[LagSeries, ...]
    switch: SwitchView | None
    after: AfterView
    judged: Judged
    beside: tuple[Told, ...]
    findings: tuple[FindingLine, ...]
    trail: TrailView
    troubles: tuple[Trouble, ...]


class DetailReader:
    """Reads migrations in full, and keeps the last few until their evidence changes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], Detail] = OrderedDict()

    async def read(
        self, store: EvidenceStore, spec: MigrationSpec, phases: Collection[str] | None = None
    ) -> Detail:
        """Return the migration; costs one listing where nothing has changed.

        :param phases: only what runs of these have left; all where None.
        :raises HeavyliftError: the store itself cannot be read.
        """
        listing = await read_listing(store, spec.migration)
        allowed = tuple(sorted(phases)) if phases is not None else ("*",)
        key = (store.url, spec.migration, spec_digest(spec), listing.fingerprint, *allowed)
        if key not in self._kept:
            self._kept[key] = await read_detail(store, spec, listing, phases)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


async def read_detail(
    store: EvidenceStore, spec: MigrationSpec, listing: Listing, phases: Collection[str] | None = None
) -> Detail:
    """Return the migration that ``listing`` shows; changes nothing.

    :param phases: only what runs of these have left; all where None.
    :raises HeavyliftError: the store itself cannot be read.
    """
    seen = listing if phases is None else listing.only(phases)
    line = await read_line(store, spec, seen)
    if phases is not None:
        line = line.only({f"{spec.migration}.{phase}" for phase in phases})
    reader = Reader(store)
    switch = await read_switched(reader, seen)
    after = await read_after(reader, seen, phases)
    judged = await read_judged(reader, seen, spec, switch)
    plan = (judged.plan.path, judged.plan.record) if judged.plan else None
    beside = await read_beside(reader, seen, phases)
    progress = await read_progress(reader, seen)
    lag = await read_lag(reader, seen)
    findings = await read_findings(reader, seen, plan)
    trail = await read_trail(store, seen, phases)
    troubles = {each.path: each for each in (*reader.troubles, *line.troubles)}
    return Detail(
        line,
        seen.fingerprint,
        progress,
        lag,
        switch,
        after,
        judged,
        beside,
        findings,
        trail,
        tuple(troubles.values()),
    )
