"""What the section ``monitor`` of a spec comes to: one look for each watched thing and side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.monitor_evidence import first_of_source, latest_path
from heavylift.evidence.monitor_records import WatchKind, WatchRecord
from heavylift.evidence.store import open_evidence
from heavylift.locations import parse_location
from heavylift.monitor.requests import DriftLimits, DriftRequest, Kept, ProfileRequest
from heavylift.platforms.places import Place
from heavylift.spec.model import MigrationSpec
from heavylift.spec.sections_monitor import (
    AccuracyWatch,
    ConvergenceWatch,
    CostWatch,
    DriftWatch,
    SloWatch,
    TablePlace,
    Watch,
)
from heavylift.spec.watching import Look, looks_of, sides_of

LookUp = Callable[[str], Connection]
Tell = Callable[[str], None]


async def look(
    spec: MigrationSpec,
    what: Look,
    kept: Kept,
    look_up: LookUp,
    tell: Tell = lambda _: None,
) -> tuple[WatchRecord, EvidenceRef]:
    """Take one look, as the spec says, and write its record; the tables are only read.

    A second run looks again and writes a record of its own.

    :param kept: the migration, the watch and side of ``what``, and where evidence lies.
    :raises NotFoundError: the spec has no such watch, or a table is not there.
    """
    return await _Looking(spec, what, kept, look_up, tell).take()


class _Looking:
    """One look in the making."""

    def __init__(self, spec: MigrationSpec, what: Look, kept: Kept, look_up: LookUp, tell: Tell) -> None:
        self._spec, self._what, self._kept = spec, what, kept
        self._look_up, self._tell = look_up, tell
        self._memory = spec.monitor.memory if spec.monitor else 0

    async def take(self) -> tuple[WatchRecord, EvidenceRef]:
        """Find the watch and look at it."""
        watch = self._watch()
        if isinstance(watch, DriftWatch):
            return await self._drift(watch)
        if isinstance(watch, AccuracyWatch):
            return await self._accuracy(watch)
        if isinstance(watch, SloWatch):
            return await self._slo(watch)
        if isinstance(watch, ConvergenceWatch):
            return await self._convergence(watch)
        if isinstance(watch, CostWatch):
            return await self._cost(watch)
        return await self._gaps(watch)

    def _watch(self) -> Watch | ConvergenceWatch | CostWatch:
        for _, _, watch in self._spec.monitor.watches() if self._spec.monitor else ():
            if watch.name == self._what.watch and self._what in list(sides_of(watch)):
                return watch
        raise NotFoundError(
            f"looking at {self._what.title!r}",
            got="no such watch in the spec",
            expected=", ".join(each.title for each in looks_of(self._spec)) or "a section monitor",
            state="nothing was looked at",
            remedy="name one of them, or add it to the spec",
            code="8930",
        )

    def _place(self, table: TablePlace, side: str) -> Place:
        location = parse_location(table.url)
        own = self._spec.source if side == "source" else self._spec.target
        conn_id = table.connection or own.connection
        return Place(location, None if location.scheme == "file" else self._look_up(conn_id))

    def _here(self, watch: Watch) -> Place:
        table = watch.source if self._what.side == "source" else watch.target
        if table is None:
            raise ValueError(self._what.title)
        return self._place(table, self._what.side)

    def _evidence(self) -> tuple[str | None, Connection | None]:
        return self._kept.evidence_url, self._kept.evidence_connection

    async def _drift(self, watch: DriftWatch) -> tuple[WatchRecord, EvidenceRef]:
        from heavylift.monitor.drift import detect_drift

        request = DriftRequest(
            self._kept,
            await self._reference(watch),
            self._here(watch),
            watch.columns,
            watch.ignore,
            limits=DriftLimits(
                watch.effect,
                watch.max_missing,
                watch.max_unseen,
                watch.confidence,
                dict(watch.effects),
                watch.judge_times,
            ),
            memory_bytes=self._memory,
        )
        return await detect_drift(request, self._tell)

    async def _reference(self, watch: DriftWatch) -> Place | str:
        """Return what is compared with; a profile of the source that is not there yet is made now."""
        from heavylift.monitor.drift import keep_profile

        if watch.reference is not None:
            return self._place(watch.reference, "source")
        async with open_evidence(*self._evidence()) as store:
            known = await latest_path(store, self._kept.migration, watch.name, "profile")
        if known is not None or watch.source is None:
            return known or ""
        self._tell("no baseline yet: the source's profile is made and kept")
        kept = Kept(self._kept.migration, watch.name, "source", self._kept.run, *self._evidence())
        place = self._place(watch.source, "source")
        request = ProfileRequest(kept, place, watch.columns, watch.ignore, memory_bytes=self._memory)
        return (await keep_profile(request, self._tell))[1].path

    async def _accuracy(self, watch: AccuracyWatch) -> tuple[WatchRecord, EvidenceRef]:
        from heavylift.monitor.accuracy import AccuracyRequest, measure_accuracy
        from heavylift.monitor.joining import Columns

        baseline: float | str | None = watch.baseline
        if baseline is None:
            baseline = await self._first_of_source(watch.name, "accuracy")
        request = AccuracyRequest(
            self._kept,
            self._here(watch),
            self._place(watch.labels, "target"),
            Columns(watch.key, watch.prediction, watch.predicted_at, watch.slices),
            Columns(watch.label_key or watch.key, watch.label, watch.labelled_at),
            metric=watch.metric.value,
            positive=watch.positive,
            baseline=baseline,
            max_drop=watch.max_drop,
            mature_seconds=watch.mature_after,
            min_coverage=watch.min_coverage,
            confidence=watch.confidence,
            memory_bytes=self._memory,
        )
        return await measure_accuracy(request)

    async def _slo(self, watch: SloWatch) -> tuple[WatchRecord, EvidenceRef]:
        from heavylift.monitor.slo import SloRequest, judge_slo

        baseline = watch.baseline
        if baseline is None and watch.latency is not None:
            baseline = await self._first_of_source(watch.name, "slo")
        request = SloRequest(
            self._kept,
            self._here(watch),
            watch.at,
            watch.status,
            watch.latency,
            watch.objective,
            watch.latency_limit,
            baseline,
            watch.judged,
            watch.max_ratio,
            memory_bytes=self._memory,
        )
        return await judge_slo(request)

    async def _convergence(self, watch: ConvergenceWatch) -> tuple[WatchRecord, EvidenceRef]:
        from heavylift.monitor.convergence import ConvergenceRequest, judge_convergence

        request = ConvergenceRequest(
            self._kept,
            self._place(watch.source, "source"),
            self._place(watch.target, "target"),
            watch.run,
            watch.step,
            watch.value,
            watch.patience,
            watch.lower_is_better,
            memory_bytes=self._memory,
        )
        return await judge_convergence(request)

    async def _gaps(self, watch: Watch) -> tuple[WatchRecord, EvidenceRef]:
        from heavylift.monitor.gaps import GapsRequest, find_gaps

        sides = (("source", watch.source), ("target", watch.target))
        places = tuple(self._place(table, side) for side, table in sides if table is not None)
        sequence, stream = getattr(watch, "sequence", "sequence"), getattr(watch, "stream", None)
        return await find_gaps(GapsRequest(self._kept, places, sequence, stream, self._memory))

    async def _cost(self, watch: CostWatch) -> tuple[WatchRecord, EvidenceRef]:
        from heavylift.monitor.cost import Bill, CostRequest, Counts, judge_cost

        sides: tuple[Literal["source", "target"], ...] = ("source", "target")
        tables = [(side, watch.source if side == "source" else watch.target) for side in sides]
        bills = tuple(
            Bill(side, self._place(table, side), table.resources, table.services)
            for side, table in tables
            if table is not None
        )
        counts = watch.predictions
        request = CostRequest(
            self._kept,
            bills,
            Counts(self._place(counts, "target"), counts.at, counts.count) if counts else None,
            watch.expected_day,
            watch.band,
            watch.max_double,
            watch.days,
            watch.settle,
            watch.effective,
            memory_bytes=self._memory,
        )
        return await judge_cost(request)

    async def _first_of_source(self, watch: str, kind: WatchKind) -> str | None:
        """Return the first record of the source: the baseline across the switch."""
        async with open_evidence(*self._evidence()) as store:
            return await first_of_source(store, self._kept.migration, watch, kind)
