"""A rollback whose target is gone: approved by what it loses, and of nothing more than that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from heavylift.cutover import patience
from heavylift.cutover.api import SwitchRequest, bring_to
from heavylift.cutover.ports import Side
from heavylift.cutover.without_target import bring_back_without_target, count_losses
from heavylift.errors import ConflictError, NotFoundError, PermanentError, TransientError
from heavylift.evidence.numbered import write_next
from heavylift.evidence.paths import database_path
from heavylift.evidence.records import RunKey, utc_now
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.evidence.stream_paths import stream_mirror_path
from heavylift.evidence.stream_records import PartitionLag, StreamMirrorRecord
from heavylift.evidence.switch_evidence import read_switch
from heavylift.evidence.table_records import SyncRecord
from heavylift.gates.switch_checks import switch_reasons
from tests.support.memory_schedules import MemorySchedule
from tests.support.memory_switch import Fate, MemoryDatabase, Workload

SOURCE, TARGET = Side.SOURCE, Side.TARGET
SYNC = RunKey(migration="shop", phase="sync", run="s")


class Switched:
    """A workload that was switched to the target, and written to there."""

    def __init__(self, store: EvidenceStore) -> None:
        self.store = store
        self.lost = MemoryDatabase("lost")
        self.kept = MemoryDatabase("kept")
        self.stream = MemoryDatabase("stream events")
        self.workload = Workload([self.lost, self.kept, self.stream])
        self.workload.schedules.append(MemorySchedule(cron="0 0 1 1 *"))

    def asked(self, run: str, phase: str = "rollback") -> SwitchRequest:
        key = RunKey(migration="shop", phase=phase, run=run)
        return SwitchRequest(self.store, key, self.workload.seen_by(Fate()), "mary", 60.0)

    async def begin(self) -> None:
        self.kept.write(SOURCE, "before")
        await bring_to(self.asked("over", "cutover"), TARGET)
        self.lost.write(TARGET, "after")
        self.kept.write(TARGET, "after")
        self.lost.gone = {TARGET}
        self.stream.gone = {TARGET}

    async def carried_back(self) -> None:
        """Leave what a sync leaves that carried changes back."""
        at = utc_now()
        sync = SyncRecord(
            run=SYNC, database="lost", direction="reverse", engine="postgresql", started_at=at,
            ended_at=at + timedelta(minutes=1), from_position="0/1", upto_position="0/9",
            applied_position="0/7", caught_up=False, lag_bytes=4096,
        )  # fmt: skip
        await write_next(self.store, lambda number: database_path(SYNC, "lost", "sync", number), sync)
        lag = PartitionLag(
            topic="orders", partition=0, source_first=0, source_end=130, mirrored_to=120, target_end=7,
            lag_records=10,
        )  # fmt: skip
        mirror = StreamMirrorRecord(
            run=SYNC, stream="events", source="b", target="a", offset_map="m", epoch=1,
            exactly_once="tail", started_at=at, ended_at=at + timedelta(minutes=1), partitions=(), sent=5,
            found_there=0, size_bytes=9, records_per_second=1.0, lag=(lag,), lag_records=10, complete=True,
            caught_up=False, seconds=1.0,
        )  # fmt: skip
        await write_next(self.store, lambda number: stream_mirror_path(SYNC, "events", number), mirror)


@pytest_asyncio.fixture
async def switched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Switched]:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.0)
    async with open_evidence(tmp_path.as_uri(), None) as store:
        made = Switched(store)
        await made.begin()
        yield made


async def test_a_usual_rollback_waits_for_a_target_that_is_gone(switched: Switched) -> None:
    with pytest.raises(TransientError):
        await bring_to(switched.asked("back"), SOURCE)
    assert switched.lost.fences[SOURCE].frozen


async def test_what_is_gone_is_left_behind_and_all_the_rest_is_brought_back(switched: Switched) -> None:
    await switched.carried_back()
    losses, _ref = await count_losses(switched.asked("look"))
    assert losses.gone == ("lost", "stream events")
    assert [(each.subject, each.at_least, each.unit) for each in losses.losses] == [
        ("lost", 4096, "bytes of log"),
        ("stream events", 10, "records"),
    ]
    assert "0/7" in losses.losses[0].detail
    assert "orders[0]@120" in losses.losses[1].detail
    told: list[str] = []
    back = switched.asked("back")
    record, _ref, kept = await bring_back_without_target(back, losses.digest, told.append)
    assert (record.outcome, record.given_up, kept.digest) == ("switched", losses.gone, losses.digest)
    assert told[0].startswith("given up: lost: everything committed on the target after 0/7")
    # What answers has lost nothing, and is proved equal.
    assert switched.kept.rows[SOURCE] == {"before": 1, "after": 1}
    assert [each.database for each in record.proofs] == ["kept"]
    assert not any(each.fences[SOURCE].frozen for each in switched.workload.databases)
    assert switched.kept.fences[TARGET].frozen
    assert switched.workload.requests.target_percent == 0
    assert switched.workload.schedules[0].sides[SOURCE].enabled
    assert switch_reasons(await read_switch(switched.store, back.run), "source") == []
    # A retry of the same finds it done.
    again, _ref, _lost = await bring_back_without_target(back, losses.digest)
    assert again.outcome == "already"


async def test_nothing_but_what_was_approved_is_lost(switched: Switched) -> None:
    losses, _ref = await count_losses(switched.asked("look"))
    assert all("nothing was carried back" in each.detail for each in losses.losses)
    switched.kept.gone = {TARGET}
    for digest in ("", "yes", losses.digest):
        with pytest.raises(ConflictError, match="HL-9651") as refused:
            await bring_back_without_target(switched.asked("back"), digest)
    assert "kept: everything written on the target" in str(refused.value)
    assert switched.lost.fences[SOURCE].frozen
    assert (await switched.store.exists("shop/rollback/back/~switch/losses-1.json")) is False


async def test_a_target_that_answers_is_not_given_up(switched: Switched) -> None:
    for each in switched.workload.databases:
        each.gone = set()
    with pytest.raises(PermanentError, match="HL-9650"):
        await count_losses(switched.asked("look"))
    with pytest.raises(PermanentError, match="HL-9650"):
        await bring_back_without_target(switched.asked("back"), "x")


async def test_a_scheduler_that_is_gone_keeps_nobody(switched: Switched) -> None:
    for each in switched.workload.databases:
        each.gone = set()
    schedule = switched.workload.schedules[0]
    request = switched.asked("back")
    silent = replace(request, parts=switched.workload.seen_by(Fate()))
    schedule.silent = TARGET
    losses, _ref = await count_losses(silent)
    assert losses.gone == ("schedule nightly",)
    record, _ref, _lost = await bring_back_without_target(silent, losses.digest)
    assert record.outcome == "switched"
    assert schedule.sides[SOURCE].enabled


async def test_a_workload_that_was_never_switched_has_nothing_to_lose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.0)
    async with open_evidence(tmp_path.as_uri(), None) as store:
        made = Switched(store)
        made.lost.gone = {TARGET}
        with pytest.raises(NotFoundError, match="HL-9652"):
            await count_losses(made.asked("look"))
