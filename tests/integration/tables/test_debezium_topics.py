"""Topics as a connector may leave them: repeated, begun anew, split, cut off. A real broker and target."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from heavylift.errors import ConflictError, HeavyliftError, PermanentError, TransientError
from heavylift.evidence.table_records import SyncRecord
from heavylift.tables.debezium.moving import DebeziumEngine
from heavylift.tables.engine import Work
from sandbox.stack import Stack
from tests.support.debezium_events import FIELDS, Record, Table, with_schema
from tests.support.debezium_topics import Debezium, debezium_topics
from tests.support.two_databases import TwoDatabases

pytestmark = pytest.mark.long

ENGINE = DebeziumEngine()
T = Table()


class Topics:
    """Writes records as a connector does, and applies them."""

    def __init__(self, debezium: Debezium) -> None:
        self.debezium = debezium
        settings = {"bootstrap.servers": str(debezium.broker.text("bootstrap.servers"))}
        self.producer = Producer(settings)
        self.admin = AdminClient(settings)

    def make(self, table: str = "public.t", partitions: int = 1) -> str:
        name = f"{self.debezium.prefix}.{table}"
        self.admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
        return name

    def write(self, *records: Record, table: str = "public.t") -> None:
        for key, value, headers in records:
            name = f"{self.debezium.prefix}.{table}"
            self.producer.produce(name, value, key, 0, headers=[(n, c) for n, c in headers])
        assert self.producer.flush(30) == 0

    def snapshot(self, **options: object) -> int:
        return ENGINE.snapshot(self.debezium.request(**options), Work()).rows

    def sync(self, **options: object) -> SyncRecord:
        return ENGINE.sync(self.debezium.request(**options), Work())

    def rows(self, query: str = "SELECT id, v FROM t ORDER BY id") -> list[tuple[object, ...]]:
        return self.debezium.pair.on_target(query)


@pytest.fixture
def topics(sandbox: Stack, databases: TwoDatabases, tmp_path: Path) -> Iterator[Topics]:
    made = Topics(debezium_topics(sandbox, databases, tmp_path / "connector"))
    databases.on_target("CREATE TABLE t (id int PRIMARY KEY, v text)")
    made.make()
    yield made
    names = [
        name for name in made.admin.list_topics(timeout=30).topics if name.startswith(made.debezium.prefix)
    ]
    for future in made.admin.delete_topics(names).values():
        future.result(30)


def begun(topics: Topics) -> None:
    topics.write(T.read(10, 1, "a"), T.read(10, 2, "b", snapshot="last"))
    assert topics.snapshot() == 2


def assert_refused(act: Callable[[], object], code: str) -> HeavyliftError:
    with pytest.raises(HeavyliftError, match=f"HL-{code}") as caught:
        act()
    return caught.value


def test_events_that_are_delivered_again_leave_no_older_row(topics: Topics) -> None:
    begun(topics)
    changes = [
        T.change("u", 20, 1, "a1"),
        T.change("d", 21, 2),
        T.change("c", 22, 3, "c"),
        T.change("u", 30, 1, "a2", after_commit=22),
        T.change("d", 31, 3, after_commit=22),
        T.change("c", 40, 4, "d", after_commit=31),
    ]
    topics.write(*changes)
    topics.sync()
    assert topics.rows() == [(1, "a2"), (4, "d")]
    # A task that was taken for dead sends what it had in hand: no repetition of the rest follows.
    topics.write(*changes[:4])
    record = topics.sync()
    assert topics.rows() == [(1, "a2"), (4, "d")]
    assert (record.changes, [each.rule for each in record.findings]) == (0, ["events-repeated"])
    # The whole stretch again, with news behind it: in one run, and over two.
    topics.write(*changes, T.change("u", 50, 4, "d1", after_commit=40))
    topics.sync()
    topics.write(*changes[2:], T.change("c", 60, 5, "e", after_commit=50))
    topics.sync()
    assert topics.rows() == [(1, "a2"), (4, "d1"), (5, "e")]


def test_transactions_come_in_the_order_of_their_commits(topics: Topics) -> None:
    begun(topics)
    # The second one's change is the older one in the log; it was committed later.
    topics.write(
        T.change("u", 26, 1, "first", after_commit=25), T.change("u", 20, 1, "second", after_commit=27)
    )
    topics.sync()
    assert topics.rows()[0] == (1, "second")


def test_rows_of_one_record_of_the_log_have_one_place(topics: Topics) -> None:
    begun(topics)
    topics.write(*(T.change("c", 20, number, "x") for number in (11, 12, 13)))
    assert topics.sync().inserts == 3


def test_a_snapshot_that_the_connector_began_again_leaves_nothing_of_the_first(topics: Topics) -> None:
    topics.debezium.pair.on_target("CREATE TABLE w (id int PRIMARY KEY, v text)")
    topics.make("public.w")
    other = Table("w")
    topics.write(T.read(10, 1, "a"), T.read(10, 2, "gone meanwhile"))
    topics.write(other.read(10, 7, "gone, too"), table="public.w")
    with pytest.raises(TransientError, match="HL-6722"):
        topics.snapshot()
    assert topics.rows() == [(1, "a"), (2, "gone meanwhile")]
    topics.write(T.read(20, 1, "a1"), T.read(20, 3, "c", snapshot="last"))
    assert topics.snapshot() == 2
    assert topics.rows() == [(1, "a1"), (3, "c")]
    assert topics.rows("SELECT count(*) FROM w") == [(0,)]
    topics.write(other.read(10, 7, "late"), table="public.w")
    topics.sync()
    assert topics.rows("SELECT count(*) FROM w") == [(0,)]


def test_a_second_snapshot_after_changes_is_refused(topics: Topics) -> None:
    begun(topics)
    topics.write(T.change("c", 20, 3, "c"), T.read(30, 1, "a", snapshot="last"))
    assert_refused(topics.sync, "6709")
    assert topics.rows() == [(1, "a"), (2, "b")]


def test_an_older_place_that_was_committed_later_is_another_server(topics: Topics) -> None:
    begun(topics)
    topics.write(T.change("c", 1000, 3, "c", after_commit=900, ts_ms=1_000_000))
    topics.sync()
    topics.write(T.change("c", 500, 4, "d", after_commit=400, ts_ms=2_000_000))
    assert_refused(topics.sync, "6708")
    assert topics.rows("SELECT count(*) FROM t") == [(3,)]


def test_a_key_that_changes_takes_its_large_value_along(topics: Topics) -> None:
    begun(topics)
    topics.write(
        T.change("d", 20, 1, old_key=9),
        (with_schema({"id": 1}), None, []),
        T.change("c", 20, 9, "__debezium_unavailable_value", old_key=1),
        T.change("u", 21, 2, "__debezium_unavailable_value"),
    )
    topics.sync()
    assert topics.rows() == [(2, "b"), (9, "a")]
    # At the newest place of all, in the same run and in the next: it is there already.
    moved = [T.change("d", 25, 9, old_key=5), T.change("c", 25, 5, "__debezium_unavailable_value", old_key=9)]
    topics.write(*moved, *moved)
    topics.sync()
    topics.write(*moved)
    assert topics.sync().changes == 0
    assert topics.rows() == [(2, "b"), (5, "a")]
    topics.write(T.change("c", 30, 10, "__debezium_unavailable_value"))
    assert_refused(topics.sync, "6712")
    assert topics.rows() == [(2, "b"), (5, "a")]


def test_columns_that_one_side_lacks_stop_before_the_event_and_go_on_after_the_remedy(topics: Topics) -> None:
    begun(topics)
    wider = replace(T, fields=(*FIELDS, {"field": "w", "type": "int32", "optional": True}))
    topics.write(T.change("c", 20, 3, "c"), wider.change("c", 21, 4, "d", 40))
    error = assert_refused(topics.sync, "6713")
    assert "w" in str(error)
    assert topics.rows("SELECT count(*) FROM t") == [(2,)]
    topics.debezium.pair.on_target("ALTER TABLE t ADD COLUMN w int")
    assert_refused(topics.sync, "6713")


def test_truncates_are_followed(topics: Topics) -> None:
    begun(topics)
    topics.write(T.change("t", 20), T.change("c", 21, 5, "e"))
    assert topics.sync().truncates == 1
    assert topics.rows() == [(5, "e")]


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ((None, T.change("c", 20, 3, "c")[1], []), "6704"),
        ((with_schema({"id": 3}), b'{"op":"c","after":{"id":3,"v":"c"},"source":{}}', []), "6702"),
        ((with_schema({"id": 3}), with_schema({"id": 3, "v": "c"}), []), "6702"),
        ((b'{"id":3}', T.change("c", 20, 3, "c")[1], []), "6704"),
        (replace(T, name="other").change("c", 20, 3, "c"), "6705"),
        (replace(T, more={"connector": "mongodb"}).change("c", 20, 3, "c"), "6706"),
        (replace(T, more={"sequence": None}).change("c", 20, 3, "c"), "6707"),
        (T.read(10, 1, "a", snapshot="incremental"), "6710"),
        (replace(T, fields=(FIELDS[0], {**FIELDS[1], "type": "double"})).change("c", 20, 3, 1.5), "6703"),
        (
            replace(T, fields=({**FIELDS[0], "type": "string"}, FIELDS[1])).change("c", 20, "x", "v"),
            "6703",
        ),
    ],
)
def test_what_is_no_event_in_the_form_asked_for_is_refused_by_name(
    topics: Topics, record: Record, code: str
) -> None:
    begun(topics)
    topics.write(T.change("u", 19, 1, "a1"), record)
    error = assert_refused(topics.sync, code)
    assert "t" in str(error)
    assert topics.rows() == [(1, "a"), (2, "b")]


def test_what_stands_in_the_way_is_said_before_anything_is_touched(topics: Topics) -> None:
    pair = topics.debezium.pair
    topics.make("public.split", 2)
    topics.make("public.missing")
    pair.on_target("CREATE TABLE split (id int, v text); INSERT INTO t VALUES (9, 'mine')")
    pair.on_target("CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t)")
    topics.make("public.child")
    topics.write(T.read(10, 1, "a", snapshot="last"))
    record = ENGINE.preflight(topics.debezium.request(), Work())
    blockers = {each.rule for each in record.findings if each.severity == "blocker"}
    assert blockers == {"topic-partitions", "target-table", "no-key", "target-occupied", "foreign-keys"}
    with pytest.raises(ConflictError, match="HL-6110"):
        topics.snapshot()
    assert topics.rows() == [(9, "mine")]
    assert pair.on_target("SELECT to_regclass('heavylift.stream')") == [(None,)]


def test_a_topic_that_was_made_anew_ends_the_stream(topics: Topics) -> None:
    begun(topics)
    name = f"{topics.debezium.prefix}.public.t"
    topics.admin.delete_topics([name])[name].result(30)
    topics.make()
    topics.write(T.change("c", 20, 3, "c"))
    with pytest.raises(PermanentError, match="HL-6716"):
        topics.sync()
    assert ENGINE.status(topics.debezium.request()).state == "invalid"
    with pytest.raises(PermanentError):
        topics.sync()
    # Anew, there is a change, and no row that a snapshot read: taken, and told.
    record = ENGINE.snapshot(topics.debezium.request(anew=True), Work())
    assert (record.rows, "no-snapshot" in {each.rule for each in record.findings}) == (1, True)
    topics.write(T.read(30, 5, "e", snapshot="last"))
    assert_refused(topics.sync, "6709")


def test_bounded_batches_and_a_second_run_come_to_the_same(topics: Topics) -> None:
    begun(topics)
    topics.write(*(T.change("c", 100 + n, 100 + n, f"v{n}") for n in range(5_000)))
    record = topics.sync(batch_changes=300)
    assert (record.inserts, record.batches > 2) == (5_000, True)
    assert topics.sync().changes == 0
    status = ENGINE.status(topics.debezium.request())
    assert (status.state, status.lag_rows, status.slot_state) == ("streaming", 0, "reserved")
    assert json.dumps(status.details).count("record") == 1
