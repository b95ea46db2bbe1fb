"""What was done around and after the switch, as the board tells it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from heavylift.board.detail import Detail, DetailReader
from heavylift.board.page import Links, Reader, render_detail
from heavylift.evidence.decommission_records import (
    DecommissionEvent,
    DecommissionPlan,
    EventKind,
    PlannedObjects,
    event_path,
    plan_path,
)
from heavylift.evidence.drill_records import DrillRecord, drill_path
from heavylift.evidence.optimize_records import ProposalRecord, Recommendation, proposal_path
from heavylift.evidence.records import EvidenceRef
from heavylift.evidence.store import open_evidence
from heavylift.evidence.switch_records import FinalRecord, RehearsalRecord, WorldRecord, switch_path
from heavylift.evidence.workload_records import CaseVerdict, TriedCase, WorkloadTestRecord, workload_path
from heavylift.spec import MigrationSpec
from tests.support.board_place import AT, Place

REF = EvidenceRef(path="small/optimize/r/one.json", sha256="0" * 64, size_bytes=1)
DAGS = {"small.cutover", "small.optimize", "small.decommission"}


def read(place: Place, spec: MigrationSpec, phases: set[str] | None = None) -> Detail:
    async def reading() -> Detail:
        async with open_evidence(place.evidence.as_uri()) as store:
            return await DetailReader().read(store, spec, phases)

    return asyncio.run(reading())


def page(place: Place) -> str:
    spec = place.spec()
    return render_detail(read(place, spec), spec, Reader(DAGS), Links("/air"))


def a_test(place: Place, number: int, verdict: CaseVerdict) -> None:
    case = TriedCase(name="one", verdict=verdict, expected="200", got="500")
    record = WorkloadTestRecord(
        run=place.run("cutover"), kind="security", tested_at=AT, address="http://x", cases=(case,),
        statement=f"test {number} of security",
    )  # fmt: skip
    place.write(workload_path("small", "security", number), record)


def leaving(place: Place, *kinds: EventKind) -> None:
    run = place.run("decommission")
    bucket = PlannedObjects(
        dataset="data", url="s3://old", objects=3, versions=5, size_bytes=10, rows=REF,
        rows_sha256="0" * 64, proof="listed",
    )  # fmt: skip
    plan = DecommissionPlan(
        migration="small", number=1, run=run, made_at=AT, owner="team", grace_seconds=3600, unused=REF,
        datasets=(bucket,),
    )  # fmt: skip
    place.write(plan_path("small", 1), plan)
    for number, kind in enumerate(kinds, 1):
        at = AT + timedelta(hours=number)
        event = DecommissionEvent(
            plan=1, plan_sha256="0" * 64, number=number, kind=kind, actor="Ada", run=run, at=at
        )
        place.write(event_path("small", 1, number), event)


def test_a_migration_before_its_switch_has_nothing_to_tell(place: Place) -> None:
    assert read(place, place.spec()).after.is_empty
    assert "Nothing was rehearsed" in page(place)


def test_the_newest_test_of_a_kind_counts_whatever_came_of_it(place: Place) -> None:
    a_test(place, 1, "passed")
    a_test(place, 2, "not run")
    [line] = read(place, place.spec()).after.tests
    assert (line.kind, line.verdict, line.statement) == ("security", "not run", "test 2 of security")
    assert '<span class="badge waiting">not run</span>' in page(place)


def test_a_rehearsal_that_failed_says_why_and_the_closed_way_back_is_told(place: Place) -> None:
    run = place.run("cutover")
    tried = RehearsalRecord(
        run=run, rehearsed_at=AT, passed=False, steps=(), expected_pause_seconds=9,
        write_pause_budget_seconds=5, reason="it would take 9 s",
    )  # fmt: skip
    place.write(switch_path(run, "rehearsal", 1), tried)
    final = FinalRecord(
        run=run, epoch=3, finalised_at=AT, switched_at=AT, soak_seconds=60, early=True, world=WorldRecord()
    )
    place.write(switch_path(run, "final", 1), final)
    after = read(place, place.spec()).after
    assert after.rehearsal is not None
    assert (after.rehearsal.passed, after.rehearsal.words) == (False, "it would take 9 s")
    assert after.final is not None
    assert "before the soak was over" in after.final.words


def test_a_proposal_shows_each_recommendation_with_its_risk(place: Place) -> None:
    run = place.run("optimize")
    advice = Recommendation(
        kind="rightsizing", subject="endpoint scoring", statement="take the smaller machine", saving=None,
        risk="less headroom", evidence=REF, changes=(),
    )  # fmt: skip
    proposal = ProposalRecord(
        run=run, digest="d", spec_sha256="s", made_of=(), recommendations=(advice,),
        statement="one recommendation", made_at=AT,
    )  # fmt: skip
    place.write(proposal_path(run, 1), proposal)
    html = page(place)
    assert "take the smaller machine" in html
    assert "less headroom" in html
    assert "/air/heavylift/evidence/small.optimize/small/optimize/" in html


def test_a_source_that_is_disabled_tells_until_when_it_comes_back(place: Place) -> None:
    leaving(place, "disabling", "disabled")
    told = read(place, place.spec()).after.leaving
    assert told is not None
    assert (told.state, told.grace_ends) == ("disabled", AT + timedelta(hours=3))
    assert told.counted == "5 objects and versions and 0 tables"
    assert "may be deleted from" in page(place)


def test_who_may_not_read_a_phase_is_told_nothing_of_it(place: Place) -> None:
    leaving(place)
    a_test(place, 1, "passed")
    after = read(place, place.spec(), {"transfer"}).after
    assert (after.leaving, after.tests) == (None, ())
    assert read(place, place.spec(), {"decommission"}).after.leaving is not None


def test_drills_are_told_over_time_and_what_is_overdue(place: Place) -> None:
    outcomes = ("failed", "passed", "put off")
    for number, outcome in enumerate(outcomes, 1):
        record = DrillRecord.model_validate(
            {
                "run": place.run("cutover"),
                "outcome": outcome,
                "reasons": () if outcome == "passed" else (f"why {number}",),
                "drilled_at": AT - timedelta(days=30 - number),
                "rto_seconds": 12.0,
                "rpo_seconds": 3.0,
                "due_within_seconds": 86_400,
            }
        )
        place.write(drill_path("small", number), record)
    drills = read(place, place.spec()).after.drills
    assert drills is not None
    assert [each.outcome for each in drills.lines] == ["put off", "passed", "failed"]
    assert drills.overdue
    assert "1 of the last 2 passed" in drills.words
    text = page(place)
    assert "Fail-over drills" in text
    assert "RTO 12 s, RPO 3.0 s; why 1" in text
    assert read(place, place.spec(), {"transfer"}).after.drills is None
