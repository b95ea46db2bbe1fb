"""Many writers append to one log, none is lost, and the end of a long log is found cheaply."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from heavylift.errors import AuditError
from heavylift.evidence.log import AppendLog, document_of
from heavylift.evidence.state import StateLog
from heavylift.evidence.store import EvidenceStore, open_evidence
from tests.unit.evidence.memory_store import MemoryStore

APPENDER = """
import asyncio, sys
from heavylift.evidence.log import AppendLog
from heavylift.evidence.store import open_evidence

async def main(url, writer, count):
    async with open_evidence(url) as store:
        log = AppendLog(store, "m/log")
        for turn in range(count):
            await log.append({"writer": writer, "turn": turn})

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


def _fill(objects: MemoryStore, numbers: range) -> None:
    for number in numbers:
        objects.objects[f"root/m/log/{number:012d}.json"] = b'{"document":{"n":%d}}' % number


async def test_entries_come_back_in_order() -> None:
    log = AppendLog(EvidenceStore(MemoryStore()), "m/log")
    assert await log.latest() is None
    for turn in range(5):
        assert (await log.append({"turn": turn})).number == turn + 1
    assert [document_of(item) async for item in log.entries()] == [{"turn": turn} for turn in range(5)]
    assert [item.number async for item in log.entries(4)] == [4, 5]


async def test_equal_documents_of_two_writers_are_two_entries() -> None:
    store = EvidenceStore(MemoryStore())
    logs = [AppendLog(store, "m/log") for _ in range(8)]
    await asyncio.gather(*(log.append({"same": True}) for log in logs))
    assert await logs[0].length() == 8


async def test_many_processes_lose_nothing(tmp_path: Path) -> None:
    writers, turns = 3, 12
    url = tmp_path.as_uri()
    path = os.pathsep.join(filter(None, sys.path))
    started = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", APPENDER, url, str(writer), str(turns)),
            env={**os.environ, "PYTHONPATH": path},
        )
        for writer in range(writers)
    ]
    assert [await process.wait() for process in started] == [0] * writers
    async with open_evidence(url) as store:
        documents = [document_of(item) async for item in AppendLog(store, "m/log").entries()]
    assert len(documents) == writers * turns
    for writer in range(writers):
        mine = [entry["turn"] for entry in documents if entry["writer"] == writer]
        assert mine == list(range(turns)), "each writer's entries are in the order it wrote them"


async def test_the_end_of_a_long_log_is_found_cheaply() -> None:
    objects = MemoryStore()
    _fill(objects, range(1, 50_001))
    log = AppendLog(EvidenceStore(objects), "m/log")
    assert await log.length() == 50_000
    assert objects.heads <= 2 * 17
    assert objects.lists <= 1
    objects.heads = 0
    await log.append({"n": 50_001})
    assert objects.heads <= 5, "the same log object remembers how far it had come"


@pytest.mark.parametrize("lost", [range(1, 2), range(1, 40), range(7, 8), range(99, 100)])
async def test_a_gap_is_damage_and_never_filled(lost: range) -> None:
    objects = MemoryStore()
    _fill(objects, range(1, 101))
    for number in lost:
        del objects.objects[f"root/m/log/{number:012d}.json"]
    before = dict(objects.objects)
    with pytest.raises(AuditError, match="without a gap") as caught:
        await AppendLog(EvidenceStore(objects), "m/log").append({"n": 1})
    assert caught.value.code == "4021"
    assert objects.objects == before


async def test_the_state_is_the_last_one_appended() -> None:
    store = EvidenceStore(MemoryStore())
    state = StateLog(store, "m", "train")
    assert await state.latest() is None
    await state.append({"manifests": ["a"]})
    assert await StateLog(store, "m", "train").append({"manifests": ["a", "b"]}) == 2
    assert await state.latest() == {"manifests": ["a", "b"]}
    assert await StateLog(store, "m", "other").latest() is None
