"""A window that closes: what is in flight is finished, the rest waits, nothing is sent twice."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from heavylift.errors import WindowClosedError
from heavylift.evidence.paths import shard_result_path
from heavylift.evidence.records import ShardResult
from heavylift.evidence.store import open_evidence
from heavylift.objects import copy as copying
from heavylift.objects.api import TransferRequest, copy_shard, plan_transfer, verify_transfer
from heavylift.objects.copy_object import copy_object
from heavylift.objects.hours import Hours
from heavylift.objects.journal import UploadJournal
from heavylift.objects.windows import Windows
from heavylift.spec.datasets import Limits
from tests.unit.objects.fakes import FakeStore
from tests.unit.objects.test_copy_object import BODY, PART, make_copier, row
from tests.unit.objects.test_transfer import in_run, request_

__all__ = ["request_"]

OPENS, CLOSES = datetime(2026, 11, 22, 22, tzinfo=UTC), datetime(2026, 11, 23, 6, tzinfo=UTC)
WINDOW = ("22:00-06:00",)


class Clock:
    """Stands still until it is told to move on."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock of all copies of the test; it is one minute before closing time."""
    made = Clock(CLOSES - timedelta(minutes=1))
    monkeypatch.setattr(copying, "Hours", partial(Hours, clock=made))
    return made


def close_after(monkeypatch: pytest.MonkeyPatch, clock: Clock, objects: int) -> None:
    """Let the window close while object number ``objects`` is being copied."""
    begun = 0

    async def counted(copier: object, planned: object) -> object:
        nonlocal begun
        begun += 1
        if begun == objects:
            clock.now = CLOSES
        return await copy_object(copier, planned)  # type: ignore[arg-type]

    monkeypatch.setattr(copying, "copy_object", counted)


async def result_of(request: TransferRequest, attempt: int) -> ShardResult:
    async with open_evidence(request.evidence_url) as evidence:
        path = shard_result_path(request.run, request.dataset, 0, attempt)
        return await evidence.read_record(path, ShardResult)


async def test_before_the_window_opens_nothing_is_begun(
    request_: TransferRequest, tmp_path: Path, clock: Clock
) -> None:
    request = in_run(request_, "one", limits=Limits(windows=WINDOW))
    await plan_transfer(request)
    clock.now = OPENS - timedelta(hours=3)
    with pytest.raises(WindowClosedError, match="HL-5070") as caught:
        await copy_shard(request, 0)
    assert caught.value.opens_at == OPENS.isoformat()
    assert pickle.loads(pickle.dumps(caught.value)).opens_at == OPENS.isoformat()
    assert list((tmp_path / "target").iterdir()) == []
    assert not (tmp_path / "evidence" / "m" / "transfer" / "one" / "d" / "shards").exists()


async def test_when_the_window_closes_the_rest_waits_for_the_next_one(
    request_: TransferRequest, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    request = in_run(request_, "one", limits=Limits(windows=WINDOW, max_concurrency=1))
    await plan_transfer(request)
    close_after(monkeypatch, clock, 5)
    with pytest.raises(WindowClosedError, match=r"5 of 12 objects are on the target.* 7 are left") as caught:
        await copy_shard(request, 0)
    assert caught.value.opens_at == (OPENS + timedelta(days=1)).isoformat()
    result = await result_of(request, 1)
    assert (result.moved.objects, result.failed.objects, result.left.objects) == (5, 0, 7)
    assert result.stopped_by == "window"
    clock.now = OPENS + timedelta(days=1)
    again = await copy_shard(request, 0)
    assert (again.attempt, again.moved.objects, again.unchanged.objects) == (2, 7, 5)
    assert again.stopped_by == ""
    assert (await verify_transfer(request)).passed


async def test_a_failure_is_not_hidden_by_a_window_that_closes(
    request_: TransferRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    from heavylift.errors import IncompleteError

    request = in_run(request_, "one", limits=Limits(windows=WINDOW, max_concurrency=1))
    await plan_transfer(request)
    (tmp_path / "target" / "day=0").mkdir()
    (tmp_path / "target" / "day=0" / "f 0 é").write_bytes(b"somebody came in between")
    close_after(monkeypatch, clock, 3)
    with pytest.raises(IncompleteError, match="1 objects failed, 9 not tried"):
        await copy_shard(request, 0)


@pytest.fixture
async def journal(tmp_path: Path):
    async with open_evidence(f"file://{tmp_path}/evidence") as evidence:
        yield UploadJournal(evidence, "m", "d")


async def test_a_large_object_stops_between_its_parts_and_goes_on_with_the_rest(
    journal: UploadJournal,
) -> None:
    source, target = FakeStore(), FakeStore()
    source.fill("k", BODY)  # three parts
    clock = Clock(CLOSES - timedelta(minutes=1))
    copier = make_copier(source, target, journal)
    copier.hours = Hours(Windows(WINDOW), clock=clock)
    send = target.put_part

    async def close_on_the_way(*arguments: object) -> object:
        clock.now = CLOSES
        await asyncio.sleep(0)
        return await send(*arguments)  # type: ignore[arg-type]

    target.put_part = close_on_the_way  # type: ignore[method-assign, assignment]
    copier.arrived = closing_after(PART, clock)
    with pytest.raises(WindowClosedError, match="keeps 1 parts"):
        await copy_object(copier, row(source))
    assert (target.parts_sent, target.objects) == ([1], {})
    assert len(target.uploads) == 1
    copier.hours = Hours(Windows(WINDOW), clock=Clock(OPENS))
    copier.arrived = lambda size: None
    await copy_object(copier, row(source))
    assert target.parts_sent == [1, 2, 3]
    assert target.objects["moved/k"].body == BODY


def closing_after(size_bytes: int, clock: Clock) -> Callable[[int], None]:
    arrived = 0

    def count(size: int) -> None:
        nonlocal arrived
        arrived += size
        if arrived >= size_bytes:
            clock.now = CLOSES

    return count


async def test_an_object_whose_last_part_is_on_its_way_is_finished(journal: UploadJournal) -> None:
    source, target = FakeStore(), FakeStore()
    source.fill("k", BODY)
    clock = Clock(CLOSES - timedelta(minutes=1))
    copier = make_copier(source, target, journal)
    copier.hours = Hours(Windows(WINDOW), clock=clock)
    copier.arrived = closing_after(len(BODY), clock)
    await copy_object(copier, row(source))
    assert target.objects["moved/k"].body == BODY
