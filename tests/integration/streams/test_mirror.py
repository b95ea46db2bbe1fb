"""A mirror between two real brokers, judged by plain consumers."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from heavylift.errors import ConflictError, NotFoundError
from heavylift.kafka.cluster import Cluster
from heavylift.kafka.ends import true_bounds
from heavylift.streams.api import mirror_stream, plan_stream, stream_status, verify_stream
from heavylift.streams.engines import open_mirror
from heavylift.streams.kafka.map_topic import map_topic_name, read_state
from heavylift.streams.ports import Watch
from heavylift.streams.work import refuse
from tests.integration.streams.brokers import Brokers, counted


async def test_every_record_arrives_as_it_is_in_its_place(brokers: Brokers) -> None:
    brokers.make("source", 4, retention_ms="3600000")
    brokers.fill("source", 3_000)
    plan, _ = await plan_stream(brokers.request())
    assert (plan.to_mirror, [topic.action for topic in plan.topics]) == (3_000, ["create"])
    assert plan.topics[0].configs == {"retention.ms": "3600000"}
    record, ref = await mirror_stream(brokers.request())
    assert (record.sent, record.complete, record.lag_records) == (3_000, True, 0)
    assert ref.path.endswith("mirror-1.json")
    source, target = brokers.rows("source"), brokers.rows("target")
    assert counted(source) == 3_000
    assert target == source
    proof, _ = await verify_stream(brokers.request(drained=True))
    assert proof.passed, proof.statement
    assert proof.equal == 3_000


async def test_a_second_run_sends_only_what_is_new(brokers: Brokers) -> None:
    brokers.make("source", 2)
    for number in range(3):
        brokers.fill("source", 500, seed=number, partitions=2)
        record, _ = await mirror_stream(brokers.request())
        assert (record.sent, record.epoch) == (500, number + 1)
    assert brokers.rows("target", 2) == brokers.rows("source", 2)
    record, _ = await mirror_stream(brokers.request())
    assert record.sent == 0
    assert record.complete


async def test_the_end_is_found_where_the_broker_reports_it_too_low(brokers: Brokers) -> None:
    """Tansu reports the first offset of the last batch, plus one; who counts independently sees all."""
    brokers.make("source", 3)
    brokers.fill("source", 4_000, partitions=3, linger_ms=60_000)
    cluster = Cluster(brokers.request().source.connection, "source")
    keys = [(brokers.topic, partition) for partition in range(3)]
    reported = cluster.bounds(keys)
    true = true_bounds(cluster, keys)
    read = [len(rows) for rows in brokers.rows("source", 3)]
    assert [true[key].end for key in keys] == read
    assert all(found.settled for found in true.values())
    assert sum(end for _, end in reported.values()) < 4_000, "this broker reports true ends: choose another"


@pytest.mark.long
async def test_a_topic_that_is_written_to_meanwhile_ends_and_the_next_run_takes_the_rest(
    brokers: Brokers,
) -> None:
    brokers.make("source", 2)
    brokers.fill("source", 500, partitions=2)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            brokers.fill("source", 200, seed=number, partitions=2)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            record, _ = await mirror_stream(brokers.request(settle_seconds=1.0))
            assert record.complete
    finally:
        stop.set()
        writer.join()
    await mirror_stream(brokers.request())
    assert brokers.rows("target", 2) == brokers.rows("source", 2)
    proof, _ = await verify_stream(brokers.request(drained=True))
    assert proof.passed, proof.statement


async def test_no_more_than_the_cap_and_a_stop_leaves_a_record(brokers: Brokers) -> None:
    brokers.make("source", 1)
    brokers.fill("source", 3_000, partitions=1)
    loop, moving = asyncio.get_running_loop(), asyncio.Event()
    request = brokers.request(max_records_per_second=400)
    task = asyncio.create_task(
        mirror_stream(request, lambda _progress: loop.call_soon_threadsafe(moving.set))
    )
    await moving.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    there = counted(brokers.rows("target", 1))
    assert 0 < there < 3_000
    status = await stream_status(brokers.request())
    assert status.lag_records == 3_000 - there
    assert status.runner == ""
    (written,) = (brokers.folder / "evidence").rglob("mirror-1.json")
    assert '"stopped_by":"request"' in written.read_text()
    record, _ = await mirror_stream(brokers.request())
    assert record.sent == 3_000 - there
    assert brokers.rows("target", 1) == brokers.rows("source", 1)


async def test_an_event_stops_a_verification_without_a_verdict(brokers: Brokers) -> None:
    brokers.make("source", 1)
    brokers.fill("source", 100, partitions=1)
    await mirror_stream(brokers.request())
    watch = Watch()
    watch.stop.set()
    with pytest.raises(Exception, match="HL-6514"):
        open_mirror(brokers.request()).verify(watch)


async def test_what_stands_in_the_way_is_named_before_anything_is_written(brokers: Brokers) -> None:
    with pytest.raises(NotFoundError, match=r"no topic orders-.*HL-6520"):
        await plan_stream(brokers.request())
    brokers.make("source", 4)
    brokers.make("target", 3)
    await refused(brokers, ConflictError, r"3 partitions on the target.*--partitions 4.*HL-6523")
    assert map_topic_name("m", brokers.mark) not in brokers.names("target")


async def test_records_of_somebody_elses_are_refused(brokers: Brokers) -> None:
    brokers.make("source", 1)
    brokers.make("target", 1)
    brokers.fill("target", 7, partitions=1)
    await refused(brokers, ConflictError, r"7 records on the target that Heavylift did not write.*HL-6526")
    assert counted(brokers.rows("target", 1)) == 7


async def test_records_that_somebody_adds_later_are_refused_and_found(brokers: Brokers) -> None:
    brokers.make("source", 1)
    brokers.fill("source", 50, partitions=1)
    await mirror_stream(brokers.request())
    brokers.fill("target", 2, seed=9, partitions=1)
    brokers.fill("source", 50, seed=3, partitions=1)
    with pytest.raises(ConflictError, match=r"target offset 50 that is not the source's next one.*HL-6532"):
        await mirror_stream(brokers.request())
    proof, _ = await verify_stream(brokers.request())
    assert (proof.passed, proof.extra, proof.equal) == (False, 2, 50)
    assert [(each.kind, each.target_offset) for each in proof.differences] == [("extra", 50), ("extra", 51)]


async def test_a_topic_that_was_made_anew_is_refused(brokers: Brokers) -> None:
    brokers.make("source", 1)
    brokers.fill("source", 20, partitions=1)
    await mirror_stream(brokers.request())
    brokers.delete("source")
    brokers.make("source", 1)
    brokers.fill("source", 30, seed=5, partitions=1)
    await refused(brokers, ConflictError, r"source that was made anew.*HL-6524")


async def test_a_stream_into_itself_is_refused(brokers: Brokers) -> None:
    brokers.make("source", 1)
    brokers.env = {**brokers.env, "AIRFLOW_CONN_KAFKA_TARGET": brokers.env["AIRFLOW_CONN_KAFKA_SOURCE"]}
    await refused(brokers, ConflictError, r"same brokers as source and target.*HL-6522")


@pytest.mark.long
async def test_a_target_that_lost_records_is_refused(brokers: Brokers) -> None:
    brokers.make("source", 1)
    brokers.fill("source", 20, partitions=1)
    await mirror_stream(brokers.request())
    cluster = Cluster(brokers.request().target.connection, "target")
    state = read_state(cluster, map_topic_name("m", brokers.mark))
    assert state.maps[brokers.topic, 0].target_next == 20
    brokers.delete("target")
    await refused(brokers, NotFoundError, r"no such topic on the target any more.*HL-6525")
    brokers.make("target", 1)
    await refused(brokers, ConflictError, r"target that was made anew.*HL-6524")


async def test_a_verification_of_what_was_never_mirrored_fails(brokers: Brokers) -> None:
    brokers.make("source", 1)
    brokers.fill("source", 5, partitions=1)
    proof, _ = await verify_stream(brokers.request())
    assert (proof.passed, proof.missing) == (False, 5)


async def test_with_transactions_the_map_and_its_records_arrive_together(brokers: Brokers) -> None:
    brokers.make("source", 2)
    brokers.fill("source", 600, partitions=2)
    record, _ = await mirror_stream(brokers.request(transactions="always"))
    assert (record.exactly_once, record.sent) == ("transactions", 600)
    brokers.fill("source", 600, seed=2, partitions=2)
    await mirror_stream(brokers.request(transactions="always"))
    assert brokers.rows("target", 2) == brokers.rows("source", 2)
    proof, _ = await verify_stream(brokers.request(drained=True))
    assert proof.passed, proof.statement


async def test_a_broker_that_hides_nothing_is_not_trusted_with_transactions(brokers: Brokers) -> None:
    brokers.make("source", 1)
    brokers.fill("source", 10, partitions=1)
    record, _ = await mirror_stream(brokers.request())
    assert record.exactly_once == "tail"


async def refused(brokers: Brokers, kind: type[Exception], match: str, **options: Any) -> None:
    plan, _ = await plan_stream(brokers.request(**options))
    assert [finding.severity for finding in plan.findings if finding.rule.startswith("HL-")]
    with pytest.raises(kind, match=match):
        refuse(plan)
    with pytest.raises(kind, match=match):
        await mirror_stream(brokers.request(**options))
