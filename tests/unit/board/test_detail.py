"""One migration in full: every section says what its evidence says, and links to it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from heavylift.board import moving
from heavylift.board.detail import Detail, DetailReader
from heavylift.board.moving import MOST_POINTS, LagPoint, thinned
from heavylift.board.page import Links, Reader, render_detail
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.paths import database_path, shard_result_path, verification_path
from heavylift.evidence.records import Finding, Severity, ShardResult, Tally, VerificationRecord
from heavylift.evidence.registry_records import RegistryPreflightRecord, registry_path
from heavylift.evidence.store import open_evidence
from heavylift.evidence.switch_records import (
    DatabaseStand,
    SwitchRecord,
    TurnRecord,
    WorldRecord,
    switch_path,
    turn_path,
)
from heavylift.evidence.table_records import SyncRecord
from heavylift.spec import MigrationSpec
from tests.support.board_place import AT, Place

HOSTILE = "<script>alert(1)</script>\u202e<img src=x onerror=alert(2)>"


def read(place: Place, spec: MigrationSpec, phases: set[str] | None = None) -> Detail:
    async def reading() -> Detail:
        async with open_evidence(place.evidence.as_uri()) as store:
            return await DetailReader().read(store, spec, phases)

    return asyncio.run(reading())


def shard(place: Place, attempt: int, moved: int, left: int) -> None:
    tally, rest = Tally(objects=moved, size_bytes=moved * 100), Tally(objects=left, size_bytes=left * 100)
    record = ShardResult(
        run=place.run(), dataset="data", shard=0, attempt=attempt, started_at=AT,
        ended_at=AT + timedelta(seconds=4), found=tally + rest, moved=tally, unchanged=Tally(),
        failed=Tally(), left=rest,
    )  # fmt: skip
    place.write(shard_result_path(place.run(), "data", 0, attempt), record)


def sync(place: Place, number: int, lag: float) -> None:
    record = SyncRecord(
        run=place.run("sync"), database="db", direction="forward", engine="changes", started_at=AT,
        ended_at=AT + timedelta(minutes=number), from_position="0/1", upto_position="0/2",
        applied_position="0/2", caught_up=True, lag_seconds=lag, lag_bytes=number * 10,
    )  # fmt: skip
    place.write(database_path(place.run("sync"), "db", "sync", number), record)


def test_a_migration_without_evidence_has_empty_sections(place: Place) -> None:
    detail = read(place, place.spec())
    assert (detail.progress, detail.lag, detail.switch, detail.findings) == ((), (), None, ())
    assert (detail.trail.length, detail.troubles, detail.judged.plan) == (0, (), None)


def test_progress_has_share_rate_time_left_and_proof(place: Place) -> None:
    spec = place.spec()
    place.plan(place.run())
    shard(place, 1, moved=4, left=6)
    (progress,) = read(place, spec).progress
    assert (progress.done.objects, progress.total.objects, progress.shards_done) == (4, 10, 0)
    assert progress.bytes_per_second == 100
    assert progress.left == timedelta(seconds=6)
    assert progress.proved is None
    shard(place, 2, moved=10, left=0)
    proof = VerificationRecord(
        run=place.run(), dataset="data", source_url="a", target_url="b", source=Tally(), target=Tally(),
        equal=Tally(), passed=True,
    )  # fmt: skip
    place.write(verification_path(place.run(), "data", 1), proof)
    (progress,) = read(place, spec).progress
    assert (progress.done.objects, progress.shards_done, progress.left, progress.proved) == (
        10,
        1,
        None,
        True,
    )
    assert progress.path.endswith("verification-1.json")


def test_the_lag_is_drawn_over_all_runs_in_the_order_of_time(place: Place) -> None:
    spec = place.spec()
    for number, lag in enumerate((9.0, 4.0, 0.5), 1):
        sync(place, number, lag)
    (series,) = read(place, spec).lag
    assert [point.seconds for point in series.points] == [9.0, 4.0, 0.5]
    assert (series.name, series.unit, series.last.amount) == ("db", "bytes", 30)


def test_a_long_curve_is_thinned_and_keeps_its_peaks() -> None:
    lags = [float(each % 10) for each in range(5000)]
    lags[1234], lags[-2] = 900.0, 800.0
    points = [LagPoint(AT + timedelta(hours=at), lag, 0, str(at)) for at, lag in enumerate(lags)]
    found = thinned(points)
    assert MOST_POINTS - 10 <= len(found) <= MOST_POINTS
    assert (found[0], found[-1]) == (points[0], points[-1])
    assert {900.0, 800.0, 0.0} <= {each.seconds for each in found}
    assert list(found) == sorted(found, key=lambda each: each.at)
    assert thinned(points[:MOST_POINTS]) == tuple(points[:MOST_POINTS])
    assert [each.seconds for each in thinned(points[:9], 6)] == [0.0, 1.0, 3.0, 4.0, 7.0, 8.0]


def test_no_more_records_are_read_than_a_curve_needs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = place.spec()
    for number in range(1, 7):
        sync(place, number, float(number))
    monkeypatch.setattr(moving, "MOST_READ", 4)
    (series,) = read(place, spec).lag
    assert [point.seconds for point in series.points] == [3.0, 4.0, 5.0, 6.0]


def switched(
    place: Place, source: Any, target: Any, number: int = 1, outcome: Any = "switched", pause: float = 1.5
) -> None:
    run = place.run("cutover")
    world = WorldRecord(databases=(DatabaseStand(database="db", source=source, target=target),))
    record = SwitchRecord(
        run=run, epoch=7, goal="target", began_at=AT, ended_at=AT + timedelta(number), outcome=outcome,
        write_pause_seconds=pause, write_pause_budget_seconds=5, before=WorldRecord(), after=world,
    )  # fmt: skip
    place.write(switch_path(run, "switch", number), record)


def test_an_attempt_that_had_nothing_to_do_hides_no_pause(place: Place) -> None:
    spec = place.spec()
    switched(place, "frozen", "open")
    switched(place, "frozen", "open", 2, "already", 0.0)
    switch = read(place, spec).switch
    assert switch is not None
    assert (switch.pause_seconds, switch.outcome) == (1.5, "writes moved to the target")
    switched(place, "open", "frozen", 3, "returned", 0.5)
    switch = read(place, spec).switch
    assert switch is not None
    assert (switch.pause_seconds, switch.writes) == (0.5, "source")


@pytest.mark.parametrize(
    ("source", "target", "side"),
    [
        ("open", "frozen", "source"),
        ("frozen", "open", "target"),
        ("frozen", "frozen", "nobody"),
        ("open", "open", "both"),
    ],
)
def test_the_side_is_the_one_that_takes_writes_not_the_one_that_was_wanted(
    place: Place, source: str, target: str, side: str
) -> None:
    spec = place.spec()
    switched(place, source, target)
    turn = TurnRecord(
        migration="small", number=1, epoch=8, goal="target", run=place.run("cutover"), actor="Ada"
    )
    place.write(turn_path("small", 1), turn)
    switch = read(place, spec).switch
    assert switch is not None
    assert (switch.writes, switch.epoch, switch.pause_seconds, switch.budget_seconds) == (side, 8, 1.5, 5)


def test_findings_come_gravest_first_with_their_evidence(place: Place) -> None:
    spec = place.spec()
    found = [
        Finding(rule="R-1", severity=Severity.NOTE, subject="a", detail="small"),
        Finding(rule="R-2", severity=Severity.BLOCKER, subject="b", detail="grave", remedy="mend it"),
    ]
    ref = place.plan(place.run(), findings=tuple(found))
    findings = read(place, spec).findings
    assert [(each.severity, each.rule, each.path) for each in findings] == [
        ("blocker", "R-2", ref.path),
        ("note", "R-1", ref.path),
    ]


def test_what_preflight_and_copy_of_one_registry_both_tell_is_shown_once_and_of_another_again(
    place: Place,
) -> None:
    spec = place.spec()
    run = place.run("registry")
    found = Finding(rule="encryption-keys", severity=Severity.WARNING, subject="secrets", detail="kept")
    for registry in ("first", "second"):
        preflight = RegistryPreflightRecord(
            run=run, registry=registry, source="a", target="b", path_reason="", findings=(found,), passed=True
        )
        place.write(registry_path(run, registry, "preflight", 1), preflight)
        place.write(registry_path(run, registry, "copy", 1), preflight)
    findings = read(place, spec).findings
    assert [each.rule for each in findings] == ["encryption-keys"] * 2
    assert {each.path.split("/")[-2] for each in findings} == {"first", "second"}


def note(place: Place, count: int, phase: str = "transfer") -> None:
    async def noting() -> None:
        async with open_evidence(place.evidence.as_uri()) as store:
            for number in range(count):
                act = Act(f"airflow:small.{phase}.data.copy", "shard.copied", phase, "r1", str(number))
                await AuditTrail(store, "small").append(act)

    asyncio.run(noting())


def test_the_end_of_the_trail_is_shown_and_its_damage_told(place: Place) -> None:
    spec = place.spec()
    note(place, 3)
    trail = read(place, spec).trail
    assert (trail.length, trail.checked, trail.problem) == (3, 3, "")
    assert [act.subject for act in trail.acts] == ["2", "1", "0"]
    entry = place.evidence / "small" / "audit" / f"{2:012d}.json"
    entry.write_text(entry.read_text().replace('"subject":"1"', '"subject":"9"'))
    trail = read(place, spec).trail
    assert "HL-4031" in trail.problem
    assert [act.subject for act in trail.acts] == ["2"]


def test_a_reader_of_one_phase_is_told_nothing_of_the_others(place: Place) -> None:
    spec = place.spec()
    place.plan(place.run())
    sync(place, 1, 3.0)
    note(place, 1, "transfer")
    note(place, 1, "sync")
    detail = read(place, spec, {"sync"})
    assert detail.progress == ()
    assert len(detail.lag) == 1
    assert [act.phase for act in detail.trail.acts] == ["sync"]
    assert [phase.phase for phase in detail.line.phases if phase.last_at] == ["sync"]
    assert "transfer" not in render(detail, spec, {"small.sync"}).split("<main", 1)[1].split("Sections", 1)[0]


def test_one_damaged_record_leaves_every_other_section_whole(place: Place) -> None:
    spec = place.spec()
    for number in (1, 2):
        sync(place, number, 1.0)
    broken = database_path(place.run("sync"), "db", "sync", 1)
    (place.evidence / broken).write_text("{")
    place.summary(place.run())
    detail = read(place, spec)
    assert [len(series.points) for series in detail.lag] == [1]
    assert [trouble.path for trouble in detail.troubles] == [broken]
    assert broken in render(detail, spec, {"small.sync", "small.transfer"})


def test_a_migration_is_read_anew_only_when_its_evidence_or_spec_changes(place: Place) -> None:
    spec = place.spec()
    place.plan(place.run())

    async def reading() -> None:
        reader = DetailReader()
        async with open_evidence(place.evidence.as_uri()) as store:
            first = await reader.read(store, spec)
            assert await reader.read(store, spec) is first
            assert await reader.read(store, spec, {"sync"}) is not first
            place.summary(place.run())
            assert await reader.read(store, spec) is not first

    asyncio.run(reading())


def render(detail: Detail, spec: MigrationSpec, readable: set[str], startable: tuple[str, ...] = ()) -> str:
    return render_detail(detail, spec, Reader(readable, startable), Links("/air"))


def test_whatever_names_hold_is_shown_and_never_acts(place: Place) -> None:
    spec = place.spec(owner=HOSTILE.replace("\u202e", ""), description="<b onclick=x>bold</b>")
    finding = Finding(
        rule=HOSTILE, severity=Severity.BLOCKER, subject=HOSTILE, detail=HOSTILE, remedy=HOSTILE
    )
    place.plan(place.run(), findings=(finding,))
    place.summary(place.run(), passed=False, reasons=(HOSTILE,))
    html = render(read(place, spec), spec, {"small.transfer"})
    assert "<script>alert" not in html
    assert "<img" not in html
    assert "<b onclick" not in html
    assert "\u202e" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in html


def test_evidence_is_reached_through_its_own_dag_and_tasks_through_airflow(place: Place) -> None:
    spec = place.spec()
    place.gate(place.run())
    note(place, 1)
    html = render(read(place, spec), spec, {"small.transfer", "small.sync"}, ("small.sync",))
    assert "/air/heavylift/evidence/small.transfer/small/transfer/" in html
    assert "/air/dags/small.transfer/runs/manual__2026-11-29T08%3A00%3A00%2B00%3A00" in html
    assert "/tasks/gate_proved.approve/required_actions" in html
    assert "/air/dags/small.transfer/runs/r1/tasks/data.copy" in html
    assert 'data-dag="small.sync"' in html
    assert 'data-dag="small.transfer"' not in html
