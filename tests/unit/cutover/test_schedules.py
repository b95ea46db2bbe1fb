"""Schedules between two schedulers: never on both, no run missed silently, whatever is killed."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from heavylift.cutover.schedules.due import due_between
from heavylift.cutover.schedules.marks import read_mark, with_mark
from heavylift.cutover.schedules.moving import Mover
from heavylift.errors import ConflictError, SpecError, TransientError
from heavylift.evidence.numbered import latest_number
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.evidence.switch_records import ScheduleRecord, schedule_path
from heavylift.fencing import Side
from tests.support.longer import first_then_long
from tests.support.memory_schedules import MemorySchedule
from tests.support.memory_switch import Fate, KilledError

SOURCE, TARGET = Side.SOURCE, Side.TARGET
UTC_ZONE = ZoneInfo("UTC")


def mover(store: EvidenceStore, schedule: MemorySchedule, epoch: int, told: list[str] | None = None) -> Mover:
    run = RunKey(migration="shop", phase="cutover", run="r")
    return Mover(
        store, run, epoch, (told if told is not None else []).append, schedule.read_clock, schedule.sleep
    )


async def records(store: EvidenceStore) -> list[ScheduleRecord]:
    def path(number: int) -> str:
        return schedule_path("shop", "nightly", number)

    last = await latest_number(store, path)
    return [await store.read_record(path(number), ScheduleRecord) for number in range(1, last + 1)]


async def move(
    store: EvidenceStore, schedule: MemorySchedule, goal: Side, epoch: int, fate: Fate, meanwhile: float = 0.0
) -> None:
    """Hold, let time go by as a switch does, and let it run at the goal."""
    seen = [schedule.seen_by(fate)]
    await mover(store, schedule, epoch).hold(seen, goal)
    schedule.passes(meanwhile)
    await mover(store, schedule, epoch).start(seen, goal)


async def look(store: EvidenceStore, schedule: MemorySchedule) -> None:
    """Look that every moment was run once, or told; and that just one side runs."""
    told = {moment for record in await records(store) for moment in record.missed}
    ran = [moment for side in schedule.sides.values() for moment in side.runs]
    assert len(ran) == len(set(ran)), "run on both sides"
    assert set(schedule.due) == set(ran) | told, "neither run nor told"
    assert not told & set(ran), "told as missed, and run"
    assert sum(side.enabled for side in schedule.sides.values()) == 1


@pytest.fixture
def schedule() -> MemorySchedule:
    return MemorySchedule()


async def test_a_run_that_fell_in_the_switch_is_told_and_started_once(
    tmp_path: Path, schedule: MemorySchedule
) -> None:
    async with open_evidence(tmp_path.as_uri(), None) as store:
        schedule.passes(120)
        await move(store, schedule, TARGET, 1, Fate(), meanwhile=300)
        schedule.passes(120)
        last = (await records(store))[-1]
        assert (last.act, last.side, len(last.missed)) == ("started", "target", 2)
        assert schedule.sides[TARGET].started == {last.missed[-1]} == {last.ran}
        assert schedule.sides[SOURCE].started == set()
        await look(store, schedule)
        # Once more, by a retry of the task: nothing is left to do.
        before = len(await records(store))
        await move(store, schedule, TARGET, 2, Fate())
        assert len(await records(store)) == before


async def test_a_run_is_only_told_where_the_spec_wants_that(tmp_path: Path, schedule: MemorySchedule) -> None:
    async with open_evidence(tmp_path.as_uri(), None) as store:
        told: list[str] = []
        seen = [schedule.seen_by(Fate(), "tell")]
        await mover(store, schedule, 1).hold(seen, TARGET)
        schedule.passes(200)
        await mover(store, schedule, 1, told).start(seen, TARGET)
        assert schedule.sides[TARGET].started == set()
        assert "fell in the switch" in told[-1]
        assert "only told" in told[-1]


async def test_a_schedule_that_somebody_holds_stays_held(tmp_path: Path, schedule: MemorySchedule) -> None:
    schedule.sides[SOURCE].enabled = False
    async with open_evidence(tmp_path.as_uri(), None) as store:
        await move(store, schedule, TARGET, 1, Fate())
        assert not any(side.enabled for side in schedule.sides.values())
        assert await records(store) == []


async def test_no_schedule_is_touched_at_the_moment_it_is_due(tmp_path: Path) -> None:
    schedule = MemorySchedule(now=datetime(2026, 11, 29, 12, 1, 58, tzinfo=UTC), seconds=0.1)
    async with open_evidence(tmp_path.as_uri(), None) as store:
        await mover(store, schedule, 1).hold([schedule.seen_by(Fate())], TARGET)
    assert schedule.sides[SOURCE].runs == [datetime(2026, 11, 29, 12, 2, tzinfo=UTC)]
    assert schedule.now >= datetime(2026, 11, 29, 12, 2, 3, tzinfo=UTC)


async def test_a_turn_that_is_over_changes_nothing(tmp_path: Path, schedule: MemorySchedule) -> None:
    async with open_evidence(tmp_path.as_uri(), None) as store:
        await move(store, schedule, TARGET, 7, Fate())
        with pytest.raises(ConflictError, match="HL-8701"):
            await move(store, schedule, SOURCE, 6, Fate())
        assert schedule.sides[TARGET].enabled
        assert not schedule.sides[SOURCE].enabled


async def one_round(store: EvidenceStore, seed: int) -> None:
    chance = random.Random(seed)
    schedule = MemorySchedule()
    tells = chance.random() < 0.5
    for side in schedule.sides.values():
        side.tells_runs = tells
    epoch = 0
    for _ in range(chance.randrange(1, 5)):
        epoch += 1
        fate = Fate(chance.choice(("kill", "error")), chance.randrange(1, 12), chance.random() < 0.5)
        try:
            goal = chance.choice((SOURCE, TARGET))
            await move(store, schedule, goal, epoch, fate, meanwhile=chance.randrange(400))
        except (KilledError, TransientError):
            pass
        schedule.passes(chance.randrange(300))
    await move(store, schedule, chance.choice((SOURCE, TARGET)), epoch + 1, Fate())
    await look(store, schedule)


@pytest.mark.parametrize("block", first_then_long(range(8)))
async def test_whatever_is_killed_every_moment_is_run_once_or_told(tmp_path: Path, block: int) -> None:
    for seed in range(block, 64, 8):
        async with open_evidence(f"file://{tmp_path}/{seed}", None) as store:
            try:
                await one_round(store, seed)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}") from error


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "after", "until", "wanted"),
    [
        (
            "0 2 * * *",
            "UTC",
            "2026-11-29T02:00",
            "2026-12-01T02:00",
            ["2026-11-30T02:00", "2026-12-01T02:00"],
        ),
        (
            "*/20 9-10 * * mon",
            "UTC",
            "2026-11-29T00:00",
            "2026-11-30T09:30",
            ["2026-11-30T09:00", "2026-11-30T09:20"],
        ),
        (
            "0 0 13 * 5",
            "UTC",
            "2026-11-12T12:00",
            "2026-11-20T12:00",
            ["2026-11-13T00:00", "2026-11-20T00:00"],
        ),
        ("0 0 * * 7", "UTC", "2026-11-28T12:00", "2026-11-30T12:00", ["2026-11-29T00:00"]),
        (
            "5/30 0 1 1 *",
            "UTC",
            "2026-12-31T12:00",
            "2027-01-02T00:00",
            ["2027-01-01T00:05", "2027-01-01T00:35"],
        ),
        ("@daily", "America/New_York", "2026-11-28T12:00", "2026-11-29T12:00", ["2026-11-29T05:00"]),
        # Berlin's clocks skip 02:30 on 29 March, and repeat it on 25 October: not due, and due once.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-30T12:00", ["2026-03-30T00:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T12:00", ["2026-10-25T00:30"]),
    ],
)
def test_when_a_schedule_is_due(cron: str, zone: str, after: str, until: str, wanted: list[str]) -> None:
    found = due_between(cron, ZoneInfo(zone), at(after), at(until))
    assert found == [at(each) for each in wanted]


def test_no_schedule_is_refused_and_an_endless_one_is_cut() -> None:
    with pytest.raises(SpecError, match="HL-9635"):
        due_between("0 25 * * *", UTC_ZONE, at("2026-01-01T00:00"), at("2026-01-02T00:00"))
    many = due_between("* * * * *", UTC_ZONE, at("2026-01-01T00:00"), at("2027-01-01T00:00"))
    assert len(many) == 10_000
    assert all(later - earlier == timedelta(minutes=1) for earlier, later in itertools.pairwise(many))


@pytest.mark.parametrize("own", ["", "Nightly training", "x" * 512])
def test_an_epoch_in_a_description_is_replaced_and_fits(own: str) -> None:
    once = with_mark(own, 7)
    twice = with_mark(once, 12)
    assert (read_mark(own), read_mark(once), read_mark(twice)) == (0, 7, 12)
    assert len(twice) <= 512
    assert twice.startswith(own[:100])
    assert twice.count("heavylift") == 1
