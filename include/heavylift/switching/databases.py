"""A database of the spec as the switch sees it: fences, drains and comparisons of heavylift.tables."""

from __future__ import annotations

from dataclasses import dataclass, replace

from heavylift.cutover.ports import ConnectionRoom, Drained, Side, Verified, WriteState
from heavylift.errors import NotFoundError, TransientError
from heavylift.evidence.records import Severity
from heavylift.tables import api
from heavylift.tables.engine import AT_WORK, Tell, silent
from heavylift.tables.requests import TablesRequest

_FLOWING = frozenset({"streaming", "copying"})


@dataclass(frozen=True)
class TablesDatabase:
    """One database between its two sides.

    :param request: of the way there.
    """

    request: TablesRequest
    tell: Tell = silent

    @property
    def name(self) -> str:
        """The database's name in the spec."""
        return self.request.database

    async def writes(self, side: Side) -> WriteState:
        """Tell whether ``side`` takes writes, by its fences."""
        return await api.writes_state(self.request, side=side)

    async def freeze(self, side: Side, *, epoch: int, within_seconds: float) -> None:
        """Put the fences of ``side``."""
        await api.freeze_writes(self.request, side=side, epoch=epoch, within_seconds=within_seconds)

    async def unfreeze(self, side: Side, *, epoch: int, other_is_shut: bool = False) -> None:
        """Take the fences of ``side`` away."""
        await api.unfreeze_writes(self.request, side=side, epoch=epoch, whatever_the_other=other_is_shut)

    async def connections(self, side: Side) -> ConnectionRoom | None:
        """Tell how many connections ``side`` has in use and free."""
        found = await api.connection_room(self.request, side=side)
        return None if found is None else ConnectionRoom(found.in_use, found.free)

    async def flows(self, to: Side) -> bool:
        """Tell whether the stream to ``to`` was begun and has lost nothing."""
        try:
            status = await api.tables_status(self._towards(to))
        except NotFoundError:
            return False
        return status.state in _FLOWING

    async def catch_up(self, to: Side) -> None:
        """Sync once; a run that is at it already carries the changes itself, or hangs: draining ends it."""
        try:
            await api.sync_tables(self._towards(to), self.tell)
        except TransientError as error:
            if error.code != AT_WORK:
                raise

    async def lag(self, to: Side) -> float | None:
        """Tell how far behind ``to`` is."""
        return (await api.tables_status(self._towards(to))).lag_seconds

    async def drain(self, to: Side, *, within_seconds: float) -> Drained:
        """Drain, and say what is in the way where it was not reached.

        A run that is still at the stream is ended: it may have been stopped, and hold it for good.
        """
        request = self._towards(to)
        request = replace(request, options=replace(request.options, take_over=True))
        record, _ref = await api.drain_tables(request, within_seconds=within_seconds, tell=self.tell)
        blockers = [each for each in record.findings if each.severity is Severity.BLOCKER]
        told = "; ".join(f"{each.subject}: {each.detail}" for each in blockers)
        if not record.reached:
            told = told or f"{record.applied_position} of {record.upto_position} after {within_seconds:.1f} s"
        return Drained(record.reached and not blockers, record.applied_position, told)

    async def verify(self, to: Side, *, frozen: bool = True) -> Verified:
        """Compare inside both databases."""
        record, _ref = await api.verify_tables(self._towards(to), frozen=frozen, tell=self.tell)
        told = record.statement if record.passed else _differences(record.difference_count, record.statement)
        return Verified(record.passed, record.total("source_rows"), told)

    async def end(self, to: Side) -> None:
        """End the stream; one that was never begun holds nothing."""
        try:
            await api.end_stream(self._towards(to))
        except NotFoundError:
            return

    async def prepare_way_back(self, to: Side) -> None:
        """Make the reverse stream; the way there needs none."""
        if to is Side.TARGET:
            await api.prepare_reverse(self.request, self.tell)

    def _towards(self, to: Side) -> TablesRequest:
        return self.request if to is Side.TARGET else self.request.reversed()


def _differences(count: int, statement: str) -> str:
    return f"{count:,} rows that differ" if count else statement or "the comparison did not pass"
