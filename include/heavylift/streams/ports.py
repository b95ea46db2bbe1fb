"""The port that every stream product is mirrored through.

The words are those of a log with partitions: Kafka and Event Hubs have partitions and offsets; Kinesis has
shards and sequence numbers, Pub/Sub ordering keys and acknowledgements. An adapter for those keeps its own
form of position in its own offset map; what callers see are the records of
:mod:`heavylift.evidence.stream_records`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from heavylift.evidence.stream_records import (
    StreamGroupsRecord,
    StreamMirrorRecord,
    StreamPlanRecord,
    StreamStatus,
    StreamVerificationRecord,
)
from heavylift.fencing import Side, WriteState


@dataclass(frozen=True)
class StreamProgress:
    """How far a mirror or verification has come.

    :param act: ``mirror`` or ``verify``.
    :param seconds_left: None as long as the rate tells nothing.
    :param lag_seconds: age of the last record mirrored; None before the first.
    """

    act: str
    records_done: int
    records_total: int
    bytes_done: int
    records_per_second: float
    seconds_left: float | None
    lag_seconds: float | None = None


def _no_report(_progress: StreamProgress) -> None:
    return None


@dataclass
class Watch:
    """Who looks on: takes progress, and may ask for an end.

    :param stop: when set, the work notes what is done and leaves within seconds.
    """

    stop: threading.Event = field(default_factory=threading.Event)
    report: Callable[[StreamProgress], None] = _no_report


class StreamMirror(Protocol):
    """Mirrors the topics of one stream. All methods block; call them from a thread of their own."""

    def plan(self) -> StreamPlanRecord:
        """Look at both sides, and say what a run would do; changes nothing.

        What stands in the way is in the record's findings; :func:`heavylift.streams.work.refuse` raises it.
        """

    def mirror(self, watch: Watch) -> StreamMirrorRecord:
        """Mirror all that the source has now, after what is mirrored already.

        :raises ConflictError: another runner is at work, or the target holds what Heavylift did not write.
        """

    def verify(self, watch: Watch) -> StreamVerificationRecord:
        """Read both sides afresh and compare them record by record; changes nothing."""

    def translate_groups(self, *, write: bool) -> StreamGroupsRecord:
        """Translate the positions of consumer groups; with ``write`` put them on the target where safe."""

    def status(self) -> StreamStatus:
        """Return how far each partition is, and who mirrors; changes nothing."""

    def fence_state(self, side: Side) -> WriteState:
        """Tell whether producers may write to a side; changes nothing."""

    def fence(self, side: Side, epoch: int, *, frozen: bool) -> None:
        """Keep producers from writing to a side, or let them. Idempotent.

        :raises ConflictError: the side has seen a higher epoch (code 8701).
        """

    def flows(self) -> bool:
        """Tell whether there is an offset map to go on with; changes nothing."""

    def prepare_way_back(self) -> int:
        """Make the offset map of the way back of what has come this way; return its new spans. Idempotent."""

    def end(self) -> None:
        """Note that nothing is mirrored this way any more. Idempotent."""

    def close(self) -> None:
        """Close all connections."""
