"""Reading a range of a file takes the memory of that range, and no more."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from heavylift.locations import Location
from heavylift.platforms.local.files import Files

MIB = 2**20
SIZE = 24 * MIB


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """Write a file of several chunks; return what is in it."""
    content = os.urandom(SIZE)
    (tmp_path / "large").write_bytes(content)
    return content


def test_a_range_is_held_once(tmp_path: Path, content: bytes) -> None:
    tracemalloc.start()
    try:
        _, body = Files(Location("file", str(tmp_path))).fetch("large", None, MIB, 16 * MIB)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert body == content[MIB : 17 * MIB]
    assert peak < 20 * MIB


@pytest.mark.parametrize(("room", "used"), [(16 * MIB, True), (20 * MIB, True), (15 * MIB, False)])
def test_a_buffer_is_used_where_it_has_room(tmp_path: Path, content: bytes, room: int, used: bool) -> None:
    buffer = bytearray(room)
    _, body = Files(Location("file", str(tmp_path))).fetch("large", None, SIZE - 16 * MIB, 17 * MIB, buffer)
    assert body == content[-16 * MIB :]
    assert (bytes(buffer[: 16 * MIB]) == content[-16 * MIB :]) is used
