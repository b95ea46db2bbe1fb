"""Reading objects: cut bodies, changed objects, and ranges for a reader that seeks."""

from __future__ import annotations

import asyncio
import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heavylift.datasets.fetching import fetch
from heavylift.datasets.footers import read_footers
from heavylift.datasets.listing import batches
from heavylift.errors import IntegrityError, PreconditionError, ServerUnavailableError
from heavylift.platforms.ports import ListedObject
from heavylift.platforms.range_files import TAIL_BYTES, RangeFile
from tests.unit.evidence.memory_store import MemoryStore

BODY = os.urandom(300_000)


async def listed(store: MemoryStore, key: str = "k") -> ListedObject:
    return (await store.head(key)).object


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(objects={"k": BODY})


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    real = asyncio.sleep
    monkeypatch.setattr("asyncio.sleep", lambda _seconds: real(0))


@pytest.mark.usefixtures("no_waiting")
async def test_a_cut_download_goes_on_where_it_stopped(store: MemoryStore, tmp_path: Path) -> None:
    store.cuts_left = 3
    await fetch(store, await listed(store), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY
    assert store.cuts_left == 0


@pytest.mark.usefixtures("no_waiting")
async def test_a_download_that_is_always_cut_stays_a_transient_error(
    store: MemoryStore, tmp_path: Path
) -> None:
    store.cuts_left = 99
    with pytest.raises(ServerUnavailableError):
        await fetch(store, await listed(store), tmp_path / "f")


async def test_an_object_that_changed_since_the_listing_is_refused(
    store: MemoryStore, tmp_path: Path
) -> None:
    before = await listed(store)
    store.objects["k"] = BODY[::-1]
    with pytest.raises(PreconditionError):
        await fetch(store, before, tmp_path / "f")


async def test_a_download_of_another_size_is_refused(store: MemoryStore, tmp_path: Path) -> None:
    item = await listed(store)
    wrong = ListedObject(item.key, item.size_bytes + 1, item.version, 0)
    with pytest.raises(IntegrityError, match="HL-4311"):
        await fetch(store, wrong, tmp_path / "f")


def test_a_range_file_reads_like_a_file() -> None:
    file, plain = RangeFile(lambda o, n: BODY[o : o + n], len(BODY)), io.BytesIO(BODY)
    for act in (
        lambda f: f.read(10),
        lambda f: f.seek(-8, io.SEEK_END),
        lambda f: f.read(4),
        lambda f: f.read(),
        lambda f: f.read(1),
        lambda f: f.seek(5),
        lambda f: f.seek(100, io.SEEK_CUR),
        lambda f: f.read(250_000),
        lambda f: f.tell(),
        lambda f: f.seek(len(BODY) + 10),
        lambda f: f.read(3),
    ):
        assert act(file) == act(plain)


def test_the_end_of_a_file_is_one_request() -> None:
    asked: list[tuple[int, int]] = []

    def read(offset: int, length: int) -> bytes:
        asked.append((offset, length))
        return BODY[offset : offset + length]

    file = RangeFile(read, len(BODY))
    for back in (8, 1000, TAIL_BYTES):
        file.seek(-back, io.SEEK_END)
        file.read(8)
    assert asked == [(len(BODY) - TAIL_BYTES, TAIL_BYTES)]


async def test_footers_are_read_without_the_data() -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"x": os.urandom(3_000_000).hex().split("0")}), sink)
    rows = pq.ParquetFile(sink).metadata.num_rows
    store = CountingStore(objects={"a.parquet": sink.getvalue()})
    schemas = await read_footers(store, [await listed(store, "a.parquet")], 2)
    assert [(schema.rows, schema.columns[0].name) for schema in schemas] == [(rows, "x")]
    assert store.asked == [TAIL_BYTES]


@dataclass
class CountingStore(MemoryStore):
    asked: list[int] = field(default_factory=list)

    def get(self, key: str, **wanted: Any) -> Any:
        self.asked.append(wanted["length"])
        return super().get(key, **wanted)


def test_batches_hold_at_most_so_many_bytes() -> None:
    files = [ListedObject(str(size), size, "", 0) for size in (3, 3, 5, 9, 1)]
    assert [[item.size_bytes for item in group] for group in batches(files, 6)] == [[3, 3], [5], [9], [1]]
    assert list(batches([], 6)) == []
