"""A stream of the spec as the switch sees it: its producers' fences, its mirror's drains and comparisons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from heavylift.cutover.ports import Drained, Side, Verified, WriteState
from heavylift.errors import ConflictError, IntegrityError
from heavylift.evidence.stream_records import StreamGroupsRecord, StreamVerificationRecord
from heavylift.streams import api
from heavylift.streams.draining import BUSY
from heavylift.streams.requests import StreamRequest

_IN_THE_WAY = frozenset({"active", "foreign", "failed"})


def silent(_line: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class SwitchedStream:
    """One stream between its two sides: what is written there is what producers send.

    :param request: of the way there.
    :param tell: is told what became of consumer groups.
    """

    request: StreamRequest
    tell: Callable[[str], None] = silent
    _compared: dict[Side, Mapping[tuple[str, int], int]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The stream's name, told from a database's."""
        return f"stream {self.request.stream}"

    async def writes(self, side: Side) -> WriteState:
        """Tell whether producers may write to ``side``, by its fence."""
        return await api.producers_state(self.request, side)

    async def freeze(self, side: Side, *, epoch: int, within_seconds: float) -> None:
        """Keep producers from ``side``; what they have sent already is found by draining."""
        del within_seconds
        await api.fence_producers(self.request, side, epoch, frozen=True)

    async def unfreeze(self, side: Side, *, epoch: int, other_is_shut: bool = False) -> None:
        """Let producers write to ``side``.

        :raises ConflictError: the other side takes records, too.
        """
        if not other_is_shut and not (await self.writes(side.other)).is_frozen:
            raise _other_is_open(self.request.stream, side)
        await api.fence_producers(self.request, side, epoch, frozen=False)

    async def flows(self, to: Side) -> bool:
        """Tell whether the mirror to ``to`` was begun, or prepared, and not ended."""
        return await api.stream_flows(self._towards(to))

    async def catch_up(self, to: Side) -> None:
        """Mirror what there is, and compare it, so that little of both is left for the pause.

        :raises IntegrityError: both sides differ.
        """
        request = self._towards(to)
        try:
            await api.mirror_stream(request)
        except ConflictError as error:
            if error.code != BUSY:
                raise
            return
        record, _ref = await api.verify_stream(self._from_compared(to))
        if not record.passed:
            raise _differs(self.request.stream, record)
        self._compared[to] = {(each.topic, each.partition): each.source_to for each in record.partitions}

    async def lag(self, to: Side) -> float | None:
        """Tell how old the oldest record is that has not come over."""
        return (await api.stream_status(self._towards(to))).lag_seconds

    async def drain(self, to: Side, *, within_seconds: float) -> Drained:
        """Mirror to the last record, and look that no other comes."""
        found = await api.drain_stream(self._towards(to), within_seconds)
        return Drained(found.reached, found.position, found.in_the_way)

    async def verify(self, to: Side, *, frozen: bool = True) -> Verified:
        """Compare record by record what was not compared already; a frozen one must have nothing left."""
        request = self._from_compared(to)
        request = replace(request, options=replace(request.options, drained=frozen))
        record, _ref = await api.verify_stream(request)
        before = sum(self._compared.get(to, {}).values())
        return Verified(record.passed, record.source_records + before, record.statement)

    async def end(self, to: Side) -> None:
        """Note that nothing is mirrored there any more."""
        await api.end_stream_mirror(self._towards(to))

    async def prepare_way_back(self, to: Side) -> None:
        """Make the offset map of the way back, and put consumer groups where they go on on ``to``."""
        request = self._towards(to)
        await api.prepare_stream_back(request)
        if to is Side.TARGET and (await self.writes(to)).opened is not None:
            request = replace(request, options=replace(request.options, follow_groups=True))
        record, _ref = await api.translate_groups(request)
        self.tell(groups_line(self.request.stream, record))

    def _towards(self, to: Side) -> StreamRequest:
        return self.request if to is Side.TARGET else self.request.reversed()

    def _from_compared(self, to: Side) -> StreamRequest:
        request = self._towards(to)
        return replace(request, options=replace(request.options, verified=self._compared.get(to, {})))


def groups_line(stream: str, record: StreamGroupsRecord) -> str:
    """Return in one line what became of consumer groups' positions."""
    there = sum(each.action in ("written", "unchanged") for each in record.positions)
    left = [each for each in record.positions if each.action in _IN_THE_WAY]
    named = sorted({f"{each.group} ({each.action})" for each in left})
    told = f"; left as they are: {', '.join(named[:5])}" if named else ""
    return f"stream {stream}: {there} of {len(record.positions)} positions of {record.groups} groups{told}"


def _other_is_open(stream: str, side: Side) -> ConflictError:
    return ConflictError(
        f"letting producers of stream {stream!r} write to the {side}",
        got=f"a {side.other} that takes records, too, or that nobody has frozen",
        expected="one side that takes records",
        state="nothing was changed",
        remedy="heavylift cutover status tells how both stand; run the cutover or the rollback again",
        retry_safe=False,
        code="9633",
    )


def _differs(stream: str, record: StreamVerificationRecord) -> IntegrityError:
    return IntegrityError(
        f"comparing stream {stream!r} before it is switched",
        got=record.statement,
        expected="equal records on both sides, up to where it is mirrored",
        state="nobody's writes were paused",
        remedy="heavylift streams verify names the records; find out who wrote them",
        code="9634",
    )
