"""From the events of one topic to messages of ``pgoutput``, which one thing folds and applies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from heavylift.errors import ConflictError, IntegrityError, UnsupportedError
from heavylift.tables.debezium.events import Decoder, Event, Headers
from heavylift.tables.debezium.places import Known, Mark, Place, Verdict, change_place, judge, snapshot_place
from heavylift.tables.debezium.values import Convert, converter
from heavylift.tables.model import TableName
from heavylift.tables.postgres import messages
from heavylift.tables.postgres.pgoutput import UNCHANGED, Row
from heavylift.tables.postgres.target_table import TargetTable

_STATE = "nothing of this batch was applied; the position stays"


class TopicReader:
    """Reads one topic's records in their order.

    :param number: by which messages name the table.
    :param target: the table as the target has it.
    """

    def __init__(self, number: int, mark: Mark, target: TargetTable) -> None:
        self.number = number
        self.table: TableName = mark.table
        self._topic, self._topic_id = mark.topic, mark.topic_id
        self.offset, self.place, self.at_ms = mark.offset, mark.place, mark.at_ms
        self.snapshot, self.complete, self.moves = mark.snapshot, mark.complete, mark.moves
        self._target = target
        self._decoder = Decoder(mark.table)
        self._version = 0
        self._told: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self._converters: dict[str, Convert] = {}

    @property
    def mark(self) -> Mark:
        """How far the topic has been read."""
        return Mark(
            self._topic, self.table, self._topic_id, self.offset,
            self.place, self.at_ms, self.snapshot, self.complete, self.moves,
        )  # fmt: skip

    def decode(self, key: bytes | None, value: bytes, headers: Headers) -> Event:
        """Return a record's event.

        :raises HeavyliftError: it is none, or one of another table.
        """
        event = self._decoder.decode(key, value, headers)
        source = event.source
        named = TableName(str(source.get("schema") or source.get("db")), str(source.get("table")))
        if named != self.table:
            raise self._routed(named)
        return event

    def judge(self, event: Event, known: Known) -> Verdict:
        """Tell what to do with an event, and take note of its place."""
        mark = self.mark if self.place is not None else _unread(self.table)
        verdict = judge(self.table, event.op, event.source, mark, known)
        if verdict is Verdict.DROP:
            return verdict
        if event.op == "r":
            self.snapshot = snapshot_place(event.source)
            self.complete = self.complete or str(event.source.get("snapshot")) == "last"
        else:
            return self._note(event, change_place(event.source), verdict)
        return verdict

    def _note(self, event: Event, place: Place, verdict: Verdict) -> Verdict:
        """Take note of a change's place; a row that has moved there already does not move again."""
        if place != self.place:
            self.moves = ()
        self.place, self.at_ms = place, max(self.at_ms, int(event.source.get("ts_ms") or 0))
        if event.old_key is not None:
            move = json.dumps([event.old_key, event.key], sort_keys=True)
            if move in self.moves:
                return Verdict.DROP
            self.moves += (move,)
        return verdict

    def messages(self, event: Event) -> Iterable[bytes]:
        """Return what an event does, as messages."""
        if event.op == "t":
            return [*self.shape(), messages.truncate(self.number, restart=False)]
        key = event.key
        if not key:
            raise self._keyless()
        shape = self._shape_of(tuple(key))
        if event.op == "d":
            # A row whose key has changed comes next, and takes the old one's place by itself.
            return shape if event.moved else [*shape, messages.deleted(self.number, self._named(key))]
        return [*shape, self._written(event)]

    def _written(self, event: Event) -> bytes:
        row = self._row(event.after or {})
        if event.old_key is not None:
            return messages.updated(self.number, self._named(event.old_key), row)
        if event.op == "u":
            return messages.updated(self.number, None, row)
        if UNCHANGED in row:
            raise self._lacks()
        return messages.inserted(self.number, row)

    def shape(self) -> list[bytes]:
        """Return the table's shape where no message has told it yet."""
        if self._told is not None:
            return []
        key = next(iter(sorted(map(sorted, self._target.unique))), [])
        self._told = (tuple(self._target.columns), tuple(key))
        return [messages.relation(self.number, self.table, *self._told)]

    def _shape_of(self, key: tuple[str, ...]) -> list[bytes]:
        if self._version != self._decoder.version:
            self._learn()
        shape = (tuple(self._converters), key)
        if shape == self._told:
            return []
        if not self._target.upserts_by(key):
            raise self._unkeyed(key)
        self._told = shape
        return [messages.relation(self.number, self.table, *shape)]

    def _learn(self) -> None:
        """Prepare for the schema of the next events; the target must have all of its columns."""
        self._version = self._decoder.version
        names = {field.name for field in self._decoder.fields}
        columns = self._target.columns
        there = {name for name, column in columns.items() if not column.generated}
        unlike = sorted((names - set(columns)) | (there - names))
        if unlike:
            raise self._unlike(unlike)
        self._converters = {
            field.name: converter(f"{self.table}.{field.name}", field.schema, columns[field.name].staged_type)
            for field in self._decoder.fields
        }

    def _row(self, values: Mapping[str, Any]) -> Row:
        try:
            return tuple([convert(values[name]) for name, convert in self._converters.items()])
        except (ValueError, TypeError, KeyError) as error:
            raise self._bad_value(values) from error

    def _named(self, key: Mapping[str, Any]) -> Row:
        """Return a row of which only the key is told."""
        try:
            return tuple(
                [convert(key[name]) if name in key else None for name, convert in self._converters.items()]
            )
        except (ValueError, TypeError) as error:
            raise self._bad_value(key) from error

    def _bad_value(self, values: Mapping[str, Any]) -> IntegrityError:
        for name, convert in self._converters.items():
            try:
                convert(values.get(name))
            except (ValueError, TypeError) as error:
                what = (
                    str(error) if type(error) is ValueError else "a value of another form than its schema's"
                )
                break
        else:
            name, what = "one of its columns", "a row that lacks it"
        return IntegrityError(
            f"reading Debezium's values of {self.table}.{name}",
            got=what,
            expected="a value that PostgreSQL's type can hold",
            state=_STATE,
            remedy="correct the row on the source and let the connector take its snapshot anew under another"
            " topic.prefix, or leave the table out (exclude)",
            code="6711",
        )

    def _routed(self, named: TableName) -> UnsupportedError:
        return UnsupportedError(
            f"reading the topic of {self.table}",
            got=f"events of {named}",
            expected="one topic for each table, called <topic.prefix>.<schema>.<table>",
            state=_STATE,
            remedy="take transforms that route topics off the connector; give tables names that topics can"
            " have, or leave them out (exclude)",
            code="6705",
        )

    def _keyless(self) -> UnsupportedError:
        return UnsupportedError(
            f"reading Debezium's events of {self.table}",
            got="a record without a key that names columns",
            expected="a primary key on the source, and key.converter=JsonConverter with"
            " key.converter.schemas.enable=true",
            state=_STATE,
            remedy="give the table a primary key (or name one in message.key.columns), or leave it out"
            " (exclude)",
            code="6704",
        )

    def _unkeyed(self, key: tuple[str, ...]) -> ConflictError:
        return ConflictError(
            f"applying Debezium's events of {self.table}",
            got=f"rows that are named by {', '.join(key)}",
            expected="a primary key or unique index of the target on exactly these columns",
            state=_STATE,
            remedy=f"ALTER TABLE {self.table} ADD PRIMARY KEY ({', '.join(key)}) on the target, then run this"
            " again",
            code="6714",
        )

    def _unlike(self, columns: list[str]) -> ConflictError:
        return ConflictError(
            f"applying Debezium's events of {self.table}",
            got=f"columns that only one side has: {', '.join(columns[:10])}",
            expected="the same columns in the events and on the target",
            state=_STATE,
            remedy="change the target's table as the source's was changed (ALTER TABLE … ADD or DROP COLUMN),"
            " then run this again: it goes on with this event",
            code="6713",
        )

    def _lacks(self) -> IntegrityError:
        return IntegrityError(
            f"applying Debezium's events of {self.table}",
            got="a new row that lacks a large value, because the source's log did not repeat it",
            expected="whole rows, or the key that the row had before in the header __debezium.oldkey",
            state=_STATE,
            remedy="set header.converter=org.apache.kafka.connect.json.JsonConverter in the connector, or"
            " ALTER TABLE … REPLICA IDENTITY FULL on the source; then take the snapshot anew",
            code="6712",
        )


def _unread(table: TableName) -> Mark:
    return Mark("", table, "")
