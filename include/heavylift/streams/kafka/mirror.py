"""The mirror of Kafka topics: the port's methods, and one whole run."""

from __future__ import annotations

import time
from datetime import datetime
from functools import partial

from confluent_kafka import Producer

from heavylift.errors import HeavyliftError
from heavylift.evidence.records import utc_now
from heavylift.evidence.stream_records import (
    PartitionLag,
    PartitionMoved,
    StreamGroupsRecord,
    StreamMirrorRecord,
    StreamPlanRecord,
    StreamStatus,
    StreamVerificationRecord,
)
from heavylift.fencing import Side, WriteState
from heavylift.kafka.cluster import Cluster, PartitionKey
from heavylift.streams.kafka.beginning import find_tails, take_over
from heavylift.streams.kafka.fence import Fence
from heavylift.streams.kafka.looking import lags, look, planned_topics, settings_for
from heavylift.streams.kafka.map_topic import OwnedMap, map_topic_name, read_state
from heavylift.streams.kafka.preflight import Sides, refusal_findings
from heavylift.streams.kafka.pump import Pump
from heavylift.streams.kafka.sending import PartitionSender
from heavylift.streams.kafka.transactions import honours_transactions, open_transactions
from heavylift.streams.kafka.way_back import end_mirror, ended, flows, prepare_way_back
from heavylift.streams.map_records import MapState, transactions_record
from heavylift.streams.ports import Watch
from heavylift.streams.requests import StreamRequest
from heavylift.streams.tail import Tail


class KafkaMirror:
    """Mirrors topics between two clusters that speak the Kafka protocol, Event Hubs among them."""

    def __init__(self, request: StreamRequest) -> None:
        self._request = request
        self._source = Cluster(request.source.connection, "source")
        self._target = Cluster(request.target.connection, "target")
        self._map_name = map_topic_name(request.run.migration, request.stream)

    def plan(self) -> StreamPlanRecord:
        """Look at both sides, and say what a run would do; changes nothing."""
        sides = look(self._source, self._target, self._request)
        missing = settings_for(self._source, sides)
        partitions = lags(self._source, sides, ages=False)
        return StreamPlanRecord(
            run=self._request.run,
            stream=self._request.stream,
            source=self._source.address,
            target=self._target.address,
            dry_run=self._request.options.dry_run,
            topics=tuple(planned_topics(sides, missing)),
            partitions=tuple(partitions),
            to_mirror=sum(partition.lag_records for partition in partitions),
            findings=(*sides.findings, *refusal_findings(sides.refusals)),
            refusals=tuple({**error.attrs(), "retry_safe": error.retry_safe} for error in sides.refusals),
        )

    def mirror(self, watch: Watch) -> StreamMirrorRecord:
        """Mirror all that the source has now, after what is mirrored already."""
        return _Run(self._source, self._target, self._request, self._map_name, watch).run()

    def verify(self, watch: Watch) -> StreamVerificationRecord:
        """Read both sides afresh and compare them record by record; changes nothing."""
        from heavylift.streams.kafka.verifying import verify

        return verify(self._source, self._target, self._request, watch)

    def translate_groups(self, *, write: bool) -> StreamGroupsRecord:
        """Translate the positions of consumer groups; with ``write`` put them on the target where safe."""
        from heavylift.streams.kafka.groups import translate_groups

        return translate_groups(self._source, self._target, self._request, write=write)

    def status(self) -> StreamStatus:
        """Return how far each partition is, and who mirrors; changes nothing."""
        state = read_state(self._target, self._map_name, tail_only=True)
        sides = look(self._source, self._target, self._request, state)
        partitions = lags(self._source, sides, ages=True)
        return StreamStatus(
            stream=self._request.stream,
            offset_map=self._map_name,
            epoch=state.lease.epoch,
            runner=state.lease.runner if state.lease.held else "",
            partitions=tuple(partitions),
            lag_records=sum(partition.lag_records for partition in partitions),
            lag_seconds=max((partition.lag_seconds or 0.0 for partition in partitions), default=0.0),
            findings=(*sides.findings, *refusal_findings(sides.refusals)),
        )

    def fence_state(self, side: Side) -> WriteState:
        """Tell whether producers may write to a side; changes nothing."""
        return Fence(self._side(side), self._request).state()

    def fence(self, side: Side, epoch: int, *, frozen: bool) -> None:
        """Keep producers from writing to a side, or let them."""
        Fence(self._side(side), self._request).put(epoch, frozen=frozen)

    def flows(self) -> bool:
        """Tell whether there is an offset map to go on with; changes nothing."""
        return flows(self._target, self._request)

    def prepare_way_back(self) -> int:
        """Make the offset map of the way back; return its new spans."""
        return prepare_way_back(self._source, self._target, self._request)

    def end(self) -> None:
        """Note that nothing is mirrored this way any more."""
        end_mirror(self._target, self._request)

    def _side(self, side: Side) -> Cluster:
        return self._source if side is Side.SOURCE else self._target

    def close(self) -> None:
        """Close all connections; each reader and writer has closed its own."""


class _Run:
    """One run of the mirror, from the claim to the record."""

    def __init__(
        self, source: Cluster, target: Cluster, request: StreamRequest, map_name: str, watch: Watch
    ) -> None:
        self._source, self._target, self._request, self._watch = source, target, request, watch
        self._options = request.options
        self._map_name = map_name
        self._transactional: Producer | None = None
        self._senders: dict[PartitionKey, PartitionSender] = {}
        self._looked = time.monotonic()

    def run(self) -> StreamMirrorRecord:
        """Do it, and return what was done."""
        started_at, began = utc_now(), time.monotonic()
        if not self._target.topics([self._map_name]):
            # A first run that is refused leaves nothing behind, not even a map.
            raise_first(look(self._source, self._target, self._request).refusals)
        # An idempotent producer waits half a second for its number: it does so beside the map's.
        plain = self._target.producer(self._queue())
        with OwnedMap(
            self._target,
            self._map_name,
            lease_seconds=self._options.lease_seconds,
            stall_seconds=self._options.stall_seconds,
            before_claim=self._end_old_transactions,
        ) as owned:
            if owned.state.ended:
                raise ended(self._map_name)
            sides = look(self._source, self._target, self._request, owned.state)
            self._looked = time.monotonic()
            raise_first(sides.refusals)
            take_over(self._source, self._target, sides, owned)
            self._find_out_about_transactions(owned)
            begins = {key: (owned.state.maps[key].source_next) for key in sides.partitions()}
            tails = find_tails(
                self._source, self._target, sides, owned, self._options, self._watch.stop.is_set
            )
            pump = self._pump(sides, owned, self._transactional or plain)
            after = self._lags(sides)
            return self._record(started_at, began, owned, sides, begins, tails, pump, after)

    def _pump(self, sides: Sides, owned: OwnedMap, producer: Producer) -> Pump:
        senders = {
            key: PartitionSender(
                key,
                owned.state.maps[key],
                sides.target_bounds[key].end,
                self._target.conn_id,
                alone=self._transactional is None,
            )
            for key in sides.partitions()
        }
        self._senders = senders
        pump = Pump(
            self._source,
            self._target,
            producer,
            senders,
            sides.source_bounds,
            owned,
            self._options,
            self._watch,
            transactional=self._transactional is not None,
        )
        try:
            pump.run()
        finally:
            # After an error nothing more may follow what the next run will find.
            producer.purge()
        return pump

    def _queue(self) -> dict[str, object]:
        half = max(4096, self._options.memory_bytes // 2 // 1024)
        return {"queue.buffering.max.kbytes": half, "linger.ms": 5}

    def _end_old_transactions(self, state: MapState) -> None:
        wanted = self._options.transactions
        if wanted == "always" or (wanted == "auto" and state.transactions):
            self._transactional = open_transactions(self._target, self._map_name, self._queue())

    def _find_out_about_transactions(self, owned: OwnedMap) -> None:
        if self._options.transactions != "auto" or owned.state.transactions is not None:
            return
        supported = honours_transactions(self._target, self._map_name)
        owned.write([transactions_record(supported)])
        owned.settle()
        if supported:
            self._transactional = open_transactions(self._target, self._map_name, self._queue())

    def _lags(self, sides: Sides) -> list[PartitionLag]:
        from heavylift.kafka.ends import true_bounds

        waits = partial(
            true_bounds,
            settle_seconds=self._options.settle_seconds,
            stall_seconds=self._options.stall_seconds,
        )
        now = Sides(sides.source, sides.target, sides.state, waits(self._source, sides.partitions()))
        now.target_bounds = waits(self._target, sides.partitions())
        for key, sender in self._senders.items():
            sender.at_end(now.target_bounds[key].end)
        return lags(self._source, now, ages=True, stall_seconds=self._options.stall_seconds)

    def _record(
        self,
        started_at: datetime,
        began: float,
        owned: OwnedMap,
        sides: Sides,
        begins: dict[PartitionKey, int],
        tails: dict[PartitionKey, Tail],
        pump: Pump,
        after: list[PartitionLag],
    ) -> StreamMirrorRecord:
        moved = [self._moved(key, sides, begins[key], tails.get(key, Tail())) for key in sides.partitions()]
        sent = sum(partition.sent for partition in moved)
        lag = max((partition.lag_seconds or 0.0 for partition in after), default=0.0)
        return StreamMirrorRecord(
            run=self._request.run,
            stream=self._request.stream,
            source=self._source.address,
            target=self._target.address,
            offset_map=self._map_name,
            epoch=owned.epoch,
            exactly_once="transactions" if self._transactional else "tail",
            started_at=started_at,
            partitions=tuple(moved),
            sent=sent,
            found_there=sum(partition.found_there for partition in moved),
            size_bytes=pump.pace.size_bytes,
            records_per_second=round(pump.pace.rate, 1),
            lag=tuple(after),
            lag_records=sum(partition.lag_records for partition in after),
            lag_seconds=lag,
            findings=tuple(sides.findings),
            samples=tuple(pump.pace.samples),
            stopped_by="" if pump.complete else "request",
            complete=pump.complete,
            caught_up=pump.complete and lag <= self._options.max_lag_seconds,
            seconds=round(time.monotonic() - began, 3),
            since_look_seconds=round(time.monotonic() - self._looked, 3),
        )

    def _moved(self, key: PartitionKey, sides: Sides, begin: int, tail: Tail) -> PartitionMoved:
        known, bounds = sides.state.maps[key], sides.source_bounds[key]
        return PartitionMoved(
            topic=key[0],
            partition=key[1],
            source_from=begin,
            source_to=max(known.source_next, begin),
            wanted_to=bounds.end,
            target_from=sides.target_bounds[key].end,
            target_to=known.target_next,
            sent=self._senders[key].sent,
            found_there=tail.records,
            expired=max(0, bounds.first - begin),
        )


def raise_first(refusals: list[HeavyliftError]) -> None:
    """Raise what stands in the way; where there are several, the first names how many more there are."""
    if not refusals:
        return
    first = refusals[0]
    if len(refusals) > 1:
        first.state = f"{first.state}; {len(refusals) - 1} more things stand in the way, the plan lists them"
        first.args = (first.render(),)
    raise first
