"""Numbers in words, and numbered evidence that several writers add to."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from heavylift.evidence.numbered import latest_number, write_next
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.wording import counted, days_in_words, duration, enumeration, method_in_words, size
from tests.unit.evidence.memory_store import MemoryStore


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1.0 KiB"), (1_048_575, "1.0 MiB"), (3 * 2**40, "3.0 TiB")],
)
def test_sizes(size_bytes: int, words: str) -> None:
    assert size(size_bytes) == words


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (0.0, "less than an hour"),
        (1 / 24, "1 hour"),
        (0.5, "12 hours"),
        (3.25, "3.2 days"),
        (1200, "1,200.0 days"),
    ],
)
def test_days(days: float, words: str) -> None:
    assert days_in_words(days) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.25, "250 ms"), (1.26, "1.3 s"), (59.6, "1 min"), (3_725, "1 h 2 min"), (172_800, "2 d")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(timedelta(seconds=seconds)) == words


def test_lists_and_counts() -> None:
    assert counted(1, "entry", "entries") == "1 entry"
    assert counted(1_200, "entry", "entries") == "1,200 entries"
    assert enumeration(["a", "b"]) == "a, b"
    assert enumeration(list("abcdefg"), 3) == "a, b, c and 4 more"


def test_methods_in_words() -> None:
    assert method_in_words("crc32c") == "CRC32C of both stores, equal"
    assert method_in_words("read_back:md5") == "target read back, MD5 equal to the source's own"
    assert method_in_words("some_new_way") == "some new way"


async def test_numbers_are_given_once() -> None:
    store = EvidenceStore(MemoryStore())

    def path_of(number: int) -> str:
        return f"m/{number}.json"

    written = await asyncio.gather(*(write_next(store, path_of, {"writer": i}) for i in range(10)))
    assert sorted(number for number, _ref in written) == list(range(1, 11))
    assert await latest_number(store, path_of) == 10
    for index, (_number, ref) in enumerate(written):
        assert await store.read_json(ref.path) == {"writer": index}
