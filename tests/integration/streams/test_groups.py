"""Consumer groups: exact positions by the map, and nobody's own position touched."""

from __future__ import annotations

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition

from heavylift.evidence.stream_records import GroupPartition
from heavylift.streams.api import mirror_stream, translate_groups
from tests.integration.streams.brokers import Brokers


def commit(brokers: Brokers, side: str, group: str, positions: dict[int, int]) -> None:
    """Put a group somewhere, as its own member that is about to leave would."""
    consumer = Consumer({"bootstrap.servers": brokers.address(side), "group.id": group})
    try:
        places = [TopicPartition(brokers.topic, number, offset) for number, offset in positions.items()]
        consumer.commit(offsets=places, asynchronous=False)
    finally:
        consumer.close()


def committed(brokers: Brokers, side: str, group: str) -> dict[int, int]:
    admin = brokers.admin(side)
    answers = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    return {at.partition: at.offset for at in answers[group].result(10).topic_partitions}


def by_partition(positions: tuple[GroupPartition, ...]) -> dict[int, GroupPartition]:
    return {position.partition: position for position in positions}


async def a_mirrored_topic(brokers: Brokers) -> None:
    """Mirror a topic."""
    brokers.make("source", 2)
    brokers.fill("source", 200, partitions=2)
    await mirror_stream(brokers.request())


async def test_a_group_goes_on_with_the_record_that_it_would_have_read_next(brokers: Brokers) -> None:
    await a_mirrored_topic(brokers)
    group = f"billing-{brokers.mark}"
    commit(brokers, "source", group, {0: 40, 1: 100})
    record, ref = await translate_groups(brokers.request(consumer_groups=(group,)))
    assert ref.path.endswith("groups-1.json")
    assert record.complete
    found = by_partition(record.positions)
    assert [(found[n].source_position, found[n].action) for n in (0, 1)] == [
        (40, "written"),
        (100, "written"),
    ]
    there = committed(brokers, "target", group)
    source, target = brokers.rows("source", 2), brokers.rows("target", 2)
    assert target[0][there[0] :] == source[0][40:]
    assert target[1][there[1] :] == []
    again, _ = await translate_groups(brokers.request(consumer_groups=(group,)))
    assert {position.action for position in again.positions} == {"unchanged"}


async def test_a_group_ahead_of_the_mirror_is_never_put_ahead_of_the_true_place(brokers: Brokers) -> None:
    await a_mirrored_topic(brokers)
    brokers.fill("source", 50, seed=4, partitions=2)
    group = f"billing-{brokers.mark}"
    commit(brokers, "source", group, {0: 115})
    record, _ = await translate_groups(brokers.request(consumer_groups=(group,)))
    (position,) = record.positions
    assert (position.target_position, position.exact, position.behind) == (100, False, 15)
    assert not record.complete
    await mirror_stream(brokers.request())
    record, _ = await translate_groups(brokers.request(consumer_groups=(group,)))
    (position,) = record.positions
    assert (position.target_position, position.exact, position.action) == (115, True, "written")


async def test_a_dry_run_writes_nothing(brokers: Brokers) -> None:
    await a_mirrored_topic(brokers)
    group = f"billing-{brokers.mark}"
    commit(brokers, "source", group, {0: 40})
    record, _ = await translate_groups(brokers.request(consumer_groups=(group,), dry_run=True))
    assert [position.action for position in record.positions] == ["write"]
    assert committed(brokers, "target", group) == {}


async def test_a_position_of_somebody_elses_stays(brokers: Brokers) -> None:
    await a_mirrored_topic(brokers)
    group = f"billing-{brokers.mark}"
    commit(brokers, "source", group, {0: 40, 1: 41})
    commit(brokers, "target", group, {0: 7})
    record, _ = await translate_groups(brokers.request(consumer_groups=(group,)))
    found = by_partition(record.positions)
    assert (found[0].action, found[1].action, record.complete) == ("foreign", "written", False)
    assert committed(brokers, "target", group) == {0: 7, 1: 41}


async def test_a_group_that_reads_on_the_target_is_left_alone(brokers: Brokers) -> None:
    await a_mirrored_topic(brokers)
    group = f"billing-{brokers.mark}"
    commit(brokers, "source", group, {0: 40})
    member = Consumer({"bootstrap.servers": brokers.address("target"), "group.id": group})
    try:
        member.subscribe([brokers.topic])
        admin = brokers.admin("target")
        while str(admin.describe_consumer_groups([group])[group].result(10).state).endswith("EMPTY"):
            member.poll(0.1)
        record, _ = await translate_groups(brokers.request(consumer_groups=(group,)))
    finally:
        member.close()
    assert [position.action for position in record.positions] == ["active"]
    assert not record.complete


async def test_only_the_groups_that_are_meant(brokers: Brokers) -> None:
    await a_mirrored_topic(brokers)
    for name in ("billing", "audit"):
        commit(brokers, "source", f"{name}-{brokers.mark}", {0: 10})
    record, _ = await translate_groups(brokers.request(consumer_groups=("bill*",)))
    assert {position.group for position in record.positions} == {f"billing-{brokers.mark}"}
