"""The cipher: Tink's form, in any order, and whatever is done to a sealed object is found."""

from __future__ import annotations

import base64
import random

import pytest

from heavylift.envelopes.stream import (
    HEADER,
    SEGMENT,
    TAG,
    Cipher,
    DataKey,
    Layout,
    NotAuthenticError,
    is_header,
    new_header,
    new_key,
)

KEY = bytes(range(32))
PLAIN = SEGMENT - TAG
BY_TINK = base64.b64decode(
    "KKyan9XWhRoHtQFXG8z5yuiVBPgoP8QVEbfo5q7QGHCDacouw6ObBkiHAUknH+NrrofatMiYOJq8lc2k4dVtgB0GLvi904q1"
)
"""Made with Tink 1.16.1: AES256_GCM_HKDF_1MB, raw key ``KEY``, associated data ``bound``."""
FIRST = PLAIN - HEADER
EDGES = [0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + PLAIN, 2 * PLAIN, 3 * SEGMENT]


def data_of(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def sealed(data: bytes, associated: bytes = b"bound", key: bytes = KEY) -> bytes:
    layout = Layout(len(data))
    return Cipher(DataKey(key, new_header(), associated), layout.segments).seal(
        range(layout.segments), data, layout
    )


def opened(body: bytes, size: int, associated: bytes = b"bound", key: bytes = KEY) -> bytes:
    segments = Layout(size).segments
    return Cipher(DataKey(key, body[:HEADER], associated), segments).open(range(segments), body)


def test_what_tink_sealed_is_opened() -> None:
    text = b"what Tink sealed"
    assert is_header(BY_TINK[:HEADER])
    assert len(BY_TINK) == Layout(len(text)).sealed_bytes
    assert opened(BY_TINK, len(text)) == text


@pytest.mark.parametrize("size", EDGES)
def test_sizes_at_the_edges_of_segments(size: int) -> None:
    data, layout = data_of(size), Layout(size)
    body = sealed(data)
    assert len(body) == layout.sealed_bytes
    assert opened(body, size) == data
    assert data[:64] not in body or size < 8


def test_parts_are_the_same_in_any_order_and_as_a_whole() -> None:
    data = data_of(3 * SEGMENT)
    layout = Layout(len(data))
    cipher = Cipher(DataKey(new_key(), new_header(), b""), layout.segments)
    whole = cipher.seal(range(layout.segments), data, layout)
    parts = {}
    for numbers in reversed(list(layout.ranges(2))):
        piece = data[layout.plain_start(numbers.start) : layout.plain_start(numbers.stop)]
        parts[numbers.start] = cipher.seal(numbers, piece, layout)
    assert b"".join(parts[each] for each in sorted(parts)) == whole
    assert len(parts[0]) == 2 * SEGMENT


def _flip(body: bytes, at: int) -> bytes:
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


SIZE = 2 * SEGMENT + 17
HARM = {
    "a bit of the salt": lambda body: _flip(body, 5),
    "a bit of the nonces' prefix": lambda body: _flip(body, HEADER - 1),
    "a bit of the first segment": lambda body: _flip(body, HEADER + 9),
    "a bit of the last tag": lambda body: _flip(body, len(body) - 1),
    "the end cut off": lambda body: body[:-1],
    "the last segment cut off": lambda body: body[: 2 * SEGMENT],
    "something added": lambda body: body + b"x",
    "two segments exchanged": lambda body: (
        body[:HEADER] + body[SEGMENT : 2 * SEGMENT] + body[HEADER:SEGMENT] + body[2 * SEGMENT :]
    ),
}  # fmt: skip


@pytest.mark.parametrize("harm", HARM)
def test_harm_is_found(harm: str) -> None:
    body = sealed(data_of(SIZE))
    spoiled = HARM[harm](body)
    assert spoiled != body
    with pytest.raises(NotAuthenticError, match=r"segment [0-9]"):
        opened(spoiled, SIZE)


def test_another_key_name_or_number_of_segments_opens_nothing() -> None:
    body = sealed(data_of(SIZE))
    with pytest.raises(NotAuthenticError):
        opened(body, SIZE, key=new_key())
    with pytest.raises(NotAuthenticError):
        opened(body, SIZE, associated=b"another object")
    with pytest.raises(NotAuthenticError):
        # As if it had ended with its second segment.
        opened(body[: 2 * SEGMENT], 2 * SEGMENT - HEADER - 2 * TAG)


def test_a_key_does_not_show_itself() -> None:
    assert "key=" not in repr(DataKey(KEY, b"", b""))
