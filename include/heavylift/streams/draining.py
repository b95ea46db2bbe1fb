"""Carrying a stream over to its last record, once its producers are kept from writing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from heavylift.errors import ConflictError
from heavylift.evidence.stream_records import PartitionLag, StreamMirrorRecord
from heavylift.streams.requests import StreamRequest
from heavylift.streams.work import mirror_stream, stream_status

BUSY = "6516"
"""Another mirror of the stream is at work."""
_NAMED = 8
_AGAIN = 0.2


@dataclass(frozen=True)
class DrainedStream:
    """Whether everything has come over, and stayed so.

    :param position: ends of the partitions that were drained.
    :param in_the_way: why it is not so; empty where it is.
    """

    reached: bool
    position: str = ""
    in_the_way: str = ""


async def drain_stream(request: StreamRequest, within_seconds: float) -> DrainedStream:
    """Mirror until nothing is left, and nothing comes for as long as ``request.fence`` wants it.

    :raises HeavyliftError: something stands in the way of a mirror.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + within_seconds
    while True:
        record = await _mirrored(request, end)
        if record is None:
            return DrainedStream(False, in_the_way="another mirror of the stream is at work")
        # What it mirrored ends where the source did when it looked: from then on nothing may have come.
        await asyncio.sleep(max(0.0, request.fence.settle_seconds - record.since_look_seconds))
        status = await stream_status(request)
        position = position_of(status.partitions)
        if not status.lag_records and all(each.settled for each in status.partitions):
            return DrainedStream(True, position)
        if loop.time() > end:
            told = f"{status.lag_records:,} records came since: a producer writes past the fence"
            return DrainedStream(False, position, told)


async def _mirrored(request: StreamRequest, end: float) -> StreamMirrorRecord | None:
    """Mirror once; None where another one was at it until the end."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return (await mirror_stream(request))[0]
        except ConflictError as error:
            if error.code != BUSY:
                raise
        if loop.time() > end:
            return None
        await asyncio.sleep(_AGAIN)


def position_of(partitions: tuple[PartitionLag, ...]) -> str:
    """Return the ends of partitions in words, the first of them by name."""
    named = [f"{each.topic}[{each.partition}]@{each.source_end}" for each in partitions[:_NAMED]]
    more = len(partitions) - len(named)
    return " ".join(named) + (f" and {more} more" if more else "")
