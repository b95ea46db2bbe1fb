"""What a mirror is asked to do: the topics of one stream, from one broker to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from heavylift.evidence.records import RunKey
from heavylift.spec.sections_data import StreamEngine

if TYPE_CHECKING:
    from heavylift.spec.model import MigrationSpec
    from heavylift.spec.sections_data import StreamSide


@dataclass(frozen=True)
class StreamPlace:
    """A broker or stream service, and the connection that opens it."""

    engine: StreamEngine
    connection: Connection


@dataclass(frozen=True)
class FenceOptions:
    """How the producers of one stream are kept from writing to a side.

    :param kind: ``acl``: the brokers refuse them; ``marker``: they read the fence topic, and hold themselves
        back.
    :param principals: whom the brokers refuse, as ``User:orders``; never Heavylift's own.
    :param settle_seconds: for how long a stream must be still before it counts as drained.
    :param switched: a cutover switches this stream, so that the fences say in which direction it is mirrored.
    """

    kind: Literal["acl", "marker"] = "marker"
    principals: tuple[str, ...] = ()
    settle_seconds: float = 1.0
    switched: bool = False


@dataclass(frozen=True)
class StreamOptions:
    """How topics are chosen and mirrored; defaults are the spec's.

    :param consumer_groups: groups whose positions are translated.
    :param max_lag_seconds: lag under which the mirror counts as caught up.
    :param memory_bytes: most memory for records on their way.
    :param max_bytes_per_second: cap on keys and values read from the source; None: no cap.
    :param max_records_per_second: cap on records; None: no cap.
    :param lease_seconds: how long an owner may be silent before another takes its place.
    :param checkpoint_records: at most so many records are sent before the offset map is written.
    :param stall_seconds: longest silence of a broker before the run fails.
    :param settle_seconds: longest wait for the end of a partition that is being written to.
    :param transactions: ``auto``: where the target's broker honours them; or ``always`` or ``never``.
    :param accept_expired: go on where the source has let records go before they were mirrored.
    :param drained: a verification fails where the source has records that are not mirrored yet.
    :param known_only: only topics that the offset map knows already: on the way back, topics that the other
        side has beside them are none of ours.
    :param follow_groups: a group's position that lies behind its translated one is moved on, whoever wrote
        it: where the workload lived before, its own old positions lie.
    :param verified: by topic and partition, the first source offset that nobody has compared yet.
    """

    topics: tuple[str, ...] = ("*",)
    consumer_groups: tuple[str, ...] = ("*",)
    max_lag_seconds: float = 60.0
    memory_bytes: int = 64 * 2**20
    max_bytes_per_second: int | None = None
    max_records_per_second: int | None = None
    lease_seconds: float = 10.0
    checkpoint_records: int = 20_000
    stall_seconds: float = 60.0
    settle_seconds: float = 5.0
    transactions: Literal["auto", "always", "never"] = "auto"
    accept_expired: bool = False
    drained: bool = False
    dry_run: bool = False
    known_only: bool = False
    follow_groups: bool = False
    verified: Mapping[tuple[str, int], int] = field(default_factory=dict)


@dataclass(frozen=True)
class StreamRequest:
    """One stream's mirror within one run.

    :param stream: names the offset map on the target, with the migration; every run needs the same name.
    :param evidence_url: the evidence store's URL; None leaves it to the connection.
    """

    run: RunKey
    stream: str
    source: StreamPlace
    target: StreamPlace
    evidence_url: str | None
    evidence_connection: Connection | None
    options: StreamOptions = field(default_factory=StreamOptions)
    fence: FenceOptions = field(default_factory=FenceOptions)

    def reversed(self) -> StreamRequest:
        """Return the request of the way back: just the topics that came this way."""
        options = replace(self.options, known_only=True, follow_groups=True)
        return replace(self, source=self.target, target=self.source, options=options)


def stream_request(
    spec: MigrationSpec,
    stream: str,
    run: RunKey,
    connections: Callable[[str], Connection],
    *,
    dry_run: bool = False,
    drained: bool = False,
    max_bytes_per_second: int | None = None,
) -> StreamRequest:
    """Return the request that mirrors one stream of a spec.

    :param connections: looks a connection up by its id.
    :param drained: a verification demands that nothing is left to mirror.
    :param max_bytes_per_second: a cap for this run.
    :raises NotFoundError: the spec has no such stream.
    """
    found = next((each for each in spec.streams if each.name == stream), None)
    if found is None:
        raise NotFoundError(
            f"looking up stream {stream!r} of migration {spec.migration!r}",
            got="no stream of that name",
            expected=", ".join(each.name for each in spec.streams) or "a stream",
            state="nothing was touched",
            remedy="name a stream of the spec",
            code="6503",
        )
    return StreamRequest(
        run=run,
        stream=stream,
        source=_place(found.source, connections),
        target=_place(found.target, connections),
        evidence_url=spec.evidence.url,
        evidence_connection=connections(spec.evidence.connection) if spec.evidence.connection else None,
        options=StreamOptions(
            topics=found.topics,
            consumer_groups=found.consumer_groups,
            max_lag_seconds=found.max_lag,
            max_bytes_per_second=max_bytes_per_second,
            dry_run=dry_run,
            drained=drained,
        ),
        fence=_fence(spec, stream),
    )


def _fence(spec: MigrationSpec, stream: str) -> FenceOptions:
    switched = spec.cutover.streams if spec.cutover else ()
    found = next((each for each in switched if each.stream == stream), None)
    if found is None:
        return FenceOptions()
    return FenceOptions(found.fence.value, found.principals, found.settle, switched=True)


def _place(side: StreamSide, connections: Callable[[str], Connection]) -> StreamPlace:
    return StreamPlace(side.engine, connections(side.connection))
