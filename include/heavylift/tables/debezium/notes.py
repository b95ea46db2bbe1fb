"""What is kept of each topic: the next record and the newest place, in one transaction with the rows."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from heavylift.tables.debezium.places import Mark, Place
from heavylift.tables.model import TableName
from heavylift.tables.postgres.state import Lease, ensure_state

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

_DDL = """
CREATE TABLE IF NOT EXISTS heavylift.debezium_topic (
    stream text NOT NULL REFERENCES heavylift.stream ON DELETE CASCADE,
    topic text NOT NULL,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    topic_id text NOT NULL,
    next_offset bigint NOT NULL,
    place text,
    at_ms bigint NOT NULL,
    snapshot text,
    complete boolean NOT NULL,
    moves text NOT NULL DEFAULT '[]',
    PRIMARY KEY (stream, topic)
)
"""


def ensure_notes(session: Session) -> None:
    """Make the schema and its tables where they are missing."""
    ensure_state(session)
    with session.transaction():
        session.execute("SELECT pg_advisory_xact_lock(hashtext('heavylift.state'))")
        session.execute(_DDL)


def read_marks(session: Session, stream: str) -> dict[str, Mark]:
    """Return what is noted of a stream's topics, by topic."""
    there = session.execute("SELECT to_regclass('heavylift.debezium_topic') IS NOT NULL").fetchone()
    if not (there and there[0]):
        return {}
    rows = session.execute(
        "SELECT topic, schema_name, table_name, topic_id, next_offset, place, at_ms, snapshot, complete,"
        " moves FROM heavylift.debezium_topic WHERE stream = %s ORDER BY topic",
        [stream],
    ).fetchall()
    marks = [
        Mark(
            topic,
            TableName(schema, table),
            made,
            offset,
            _read(place),
            at,
            _read(snapshot),
            complete,
            tuple(json.loads(moves)),
        )
        for topic, schema, table, made, offset, place, at, snapshot, complete, moves in rows
    ]
    return {mark.topic: mark for mark in marks}


def write_marks(session: Session, stream: str, marks: Iterable[Mark]) -> None:
    """Write what is known of topics, over what is there."""
    for mark in marks:
        session.execute(
            "INSERT INTO heavylift.debezium_topic (stream, topic, schema_name, table_name, topic_id,"
            " next_offset, place, at_ms, snapshot, complete, moves)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (stream, topic) DO UPDATE SET"
            " (next_offset, place, at_ms, snapshot, complete, moves) = (EXCLUDED.next_offset, EXCLUDED.place,"
            " EXCLUDED.at_ms, EXCLUDED.snapshot, EXCLUDED.complete, EXCLUDED.moves)",
            [
                stream, mark.topic, mark.table.schema, mark.table.name, mark.topic_id, mark.offset,
                _written(mark.place), mark.at_ms, _written(mark.snapshot), mark.complete,
                json.dumps(mark.moves),
            ],
        )  # fmt: skip


def total(marks: Iterable[Mark]) -> int:
    """Return the position as one number: records of all topics that have been read."""
    return sum(mark.offset for mark in marks)


def _read(text: str | None) -> Place | None:
    return None if text is None else tuple(json.loads(text))


def _written(place: Place | None) -> str | None:
    return None if place is None else json.dumps(list(place))


@dataclass
class Seen:
    """What the reader has seen, for whoever notes positions: marks by the position behind them."""

    marks: deque[tuple[int, Mapping[str, Mark]]] = field(default_factory=deque)

    def upto(self, position: int) -> dict[str, Mark]:
        """Return the newest marks that a position covers, once."""
        found: dict[str, Mark] = {}
        while self.marks and self.marks[0][0] <= position:
            found |= self.marks.popleft()[1]
        return found


@dataclass(frozen=True)
class TopicLease(Lease):
    """A lease that notes the topics' marks in the transaction that notes the position."""

    seen: Seen = field(default_factory=Seen, compare=False)

    def advance(self, session: Session, applied: int, applied_at: datetime | None, changes: int) -> None:
        """Note a position, and with it how far each topic has been read."""
        super().advance(session, applied, applied_at, changes)
        write_marks(session, self.stream, self.seen.upto(applied).values())
