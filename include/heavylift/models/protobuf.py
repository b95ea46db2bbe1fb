"""Walks through messages of protobuf where they lie: only what is asked for is read, nothing is held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

MAX_DEPTH = 60


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message, which lies from ``begin`` to ``end``."""

    number: int
    wire: int
    begin: int
    end: int


def fields(stream: BinaryIO, begin: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message between two places.

    :raises ValueError: there is none.
    """
    at = begin
    while at < end:
        stream.seek(at)
        tag = varint(stream)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            first = stream.tell()
            varint(stream)
            at = stream.tell()
            found = Field(number, wire, first, at)
        elif wire == 2:
            length = varint(stream)
            at = stream.tell() + length
            found = Field(number, wire, stream.tell(), at)
        elif wire in {1, 5}:
            first = stream.tell()
            at = first + (8 if wire == 1 else 4)
            found = Field(number, wire, first, at)
        else:
            raise ValueError("no protobuf")
        if at > end or not number:
            raise ValueError("a field that is longer than its message")
        yield found


def varint(stream: BinaryIO) -> int:
    """Read a number.

    :raises ValueError: there is none.
    """
    value = shift = 0
    while True:
        byte = stream.read(1)
        if not byte or shift > 63:
            raise ValueError("no varint")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7


def text(stream: BinaryIO, field: Field, most: int = 4096) -> str:
    """Return a field's text.

    :raises ValueError: it is none, or longer than ``most``.
    """
    if field.wire != 2 or field.end - field.begin > most:
        raise ValueError("a text that is too long")
    stream.seek(field.begin)
    return stream.read(field.end - field.begin).decode("utf-8")


Schema = Mapping[str, Mapping[int, str]]
"""Message → number of a field → the message that it holds."""


def walk(
    stream: BinaryIO, schema: Schema, message: str, begin: int, end: int, depth: int = 0
) -> Iterator[tuple[str, Field]]:
    """Yield each field of a message and of those within it that the schema knows, with its message's name.

    :raises ValueError: they are none, or lie too deep.
    """
    if depth > MAX_DEPTH:
        raise ValueError("messages that lie too deep")
    inner = schema.get(message, {})
    for field in fields(stream, begin, end):
        yield message, field
        if field.number in inner:
            if field.wire != 2:
                raise ValueError("a message that is none")
            yield from walk(stream, schema, inner[field.number], field.begin, field.end, depth + 1)
