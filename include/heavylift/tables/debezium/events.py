"""One record of a topic as an event: Debezium's envelope, in JSON with its schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json.decoder import JSONDecoder
from typing import Any

from heavylift.errors import UnsupportedError
from heavylift.tables.model import TableName

_STATE = "nothing of this batch was applied; the position stays"
_BETWEEN = ',"payload":'
_HEAD = '{"schema":'
OPERATIONS = frozenset("crudt")
# Numbers keep the digits that were written.
_DECODER = JSONDecoder(parse_float=str)

Headers = Sequence[tuple[str, bytes | None]] | None


@dataclass(frozen=True)
class Field:
    """A column of the event's rows, with its schema."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One change, as Debezium tells it.

    :param key: the columns that name the row; None where the record has no key.
    :param old_key: of a row whose key has changed: under which it was known before.
    :param moved: the row goes because its key has changed; it comes back under the new one.
    """

    op: str
    after: Mapping[str, Any] | None
    source: Mapping[str, Any]
    key: Mapping[str, Any] | None
    old_key: Mapping[str, Any] | None = None
    moved: bool = False


class Decoder:
    """Decodes the records of one topic; a schema that repeats is read once."""

    def __init__(self, table: TableName) -> None:
        self._table = table
        self._head = ""
        self.fields: tuple[Field, ...] = ()
        self.version = 0
        """Grows each time that the schema has become another one."""

    def decode(self, key: bytes | None, value: bytes, headers: Headers) -> Event:
        """Return a record's event.

        :raises UnsupportedError: it is none, or is written in another form than is asked for.
        """
        payload = self._payload(value)
        if not isinstance(payload, dict) or not {"op", "source", "after"} <= payload.keys():
            raise self._strange(
                "a value without Debezium's envelope (before, after, op, source)",
                "take transforms such as ExtractNewRecordState off the connector",
            )
        if payload["op"] not in OPERATIONS:
            raise self._strange(f"the operation {payload['op']!r}", "leave the table out (exclude)")
        told = {name: content for name, content in headers or () if name.startswith("__debezium.")}
        return Event(
            payload["op"],
            payload["after"],
            payload["source"],
            self._key(key),
            _header(told.get("__debezium.oldkey")),
            _header(told.get("__debezium.newkey")) is not None,
        )

    def _payload(self, value: bytes) -> Any:
        try:
            text = value.decode()
            if self._head and text.startswith(self._head):
                return _DECODER.raw_decode(text, len(self._head))[0]
            if text.startswith(_HEAD):
                schema, end = _DECODER.raw_decode(text, len(_HEAD))
                if isinstance(schema, dict) and text.startswith(_BETWEEN, end):
                    self._learn(schema)
                    self._head = text[: end + len(_BETWEEN)]
                    return _DECODER.raw_decode(text, len(self._head))[0]
        except ValueError as error:
            raise self._strange("a value that is no JSON", "set value.converter to JsonConverter") from error
        raise self._strange(
            "a value without its schema",
            "set value.converter to JsonConverter, with value.converter.schemas.enable=true",
        )

    def _learn(self, schema: Mapping[str, Any]) -> None:
        after: Mapping[str, Any] = next(
            (each for each in schema.get("fields", ()) if each.get("field") == "after"), {}
        )
        fields = tuple(Field(str(each["field"]), each) for each in after.get("fields", ()))
        if fields and fields != self.fields:
            self.fields = fields
            self.version += 1

    def _key(self, key: bytes | None) -> Mapping[str, Any] | None:
        if key is None:
            return None
        try:
            found = _DECODER.decode(key.decode())
        except ValueError as error:
            raise self._strange("a key that is no JSON", "set key.converter to JsonConverter") from error
        payload = found.get("payload") if isinstance(found, dict) and "schema" in found else None
        if payload is None:
            return None
        if not isinstance(payload, dict):
            raise self._strange("a key that names no columns", "take transforms of keys off the connector")
        return payload

    def _strange(self, got: str, remedy: str) -> UnsupportedError:
        return UnsupportedError(
            f"reading Debezium's events of {self._table}",
            got=got,
            expected="change events in JSON with their schema, as Debezium's connectors write them",
            state=_STATE,
            remedy=f"{remedy}, under a new topic.prefix; then take the snapshot anew (--anew)",
            code="6702",
        )


def _header(content: bytes | None) -> Mapping[str, Any] | None:
    """Return the key in a header; None where it is written in a form that cannot be read for certain."""
    if content is None:
        return None
    try:
        found = json.loads(content)
    except ValueError:
        return None
    payload = found.get("payload", found) if isinstance(found, dict) else None
    return payload if isinstance(payload, dict) else None
