"""Databases at a gate: rows instead of objects, and nothing passes on nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from heavylift.evidence.database_evidence import database_counts, read_database
from heavylift.evidence.records import CheckOutcome, Severity, utc_now
from heavylift.evidence.store import EvidenceStore
from heavylift.gates.checks import DATABASE_JUDGES
from heavylift.gates.evaluate import evaluate_gate
from heavylift.gates.summary import summarise
from heavylift.spec.gates import DEFAULT_TRANSFER_GATE
from heavylift.spec.vocabulary import Check
from tests.unit.evidence.memory_store import MemoryStore
from tests.unit.gates import database_builder as built
from tests.unit.gates.database_builder import NAME, write_database
from tests.unit.gates.run_builder import RUN, gate, write_good_run

WITHIN = {NAME: 60.0}


@pytest.fixture
def store() -> EvidenceStore:
    return EvidenceStore(MemoryStore())


async def judged(store: EvidenceStore, *checks: Check, max_age: int = 86_400) -> dict[str, CheckOutcome]:
    result, _ = await evaluate_gate(store, RUN, gate(*checks, max_age=max_age), [], databases=WITHIN)
    return {check.name: check for check in result.checks}


async def reasons(store: EvidenceStore) -> tuple[str, ...]:
    return (await summarise(store, RUN, [], [], [NAME])).reasons


async def test_a_database_that_moved_well_passes_every_check(store: EvidenceStore) -> None:
    await write_database(
        store, built.preflight(), built.snapshot(), built.sync(), built.drain(), built.verification()
    )
    outcomes = await judged(store, *DATABASE_JUDGES)
    assert {name for name, each in outcomes.items() if not each.passed} == set()
    assert set(outcomes) == {*DATABASE_JUDGES, "freshness"}
    assert all(each.evidence and each.subject == NAME for each in outcomes.values())
    assert "10 rows in 1 table" in outcomes["counts_equal"].detail
    assert await reasons(store) == ()


async def test_the_default_gate_takes_datasets_and_databases(store: EvidenceStore) -> None:
    await write_good_run(store)
    databases = {**WITHIN}
    result, _ = await evaluate_gate(store, RUN, DEFAULT_TRANSFER_GATE, ["train"], databases=databases)
    assert not result.passed
    assert {each.subject for each in result.checks if each.passed} == {"train"}
    await write_database(store, built.preflight(), built.snapshot(), built.verification())
    result, _ = await evaluate_gate(store, RUN, DEFAULT_TRANSFER_GATE, ["train"], databases=databases)
    assert result.passed
    assert {each.subject for each in result.checks} == {"train", NAME}


async def test_nothing_proves_nothing(store: EvidenceStore) -> None:
    outcomes = await judged(store, *DATABASE_JUDGES)
    assert not any(each.passed for each in outcomes.values())
    assert await reasons(store) == (
        f"{NAME}: there is neither a complete snapshot nor a sync",
        f"{NAME}: it was not verified",
    )


@pytest.mark.parametrize("check", [Check.TABLES_EQUAL, Check.REPLICATION_CAUGHT_UP, Check.EXPECTATIONS_PASS])
async def test_a_check_with_nothing_to_judge_keeps_the_gate_shut(store: EvidenceStore, check: Check) -> None:
    await write_good_run(store)
    databases = WITHIN if check is Check.EXPECTATIONS_PASS else {}
    datasets = [] if check is Check.EXPECTATIONS_PASS else ["train"]
    result, _ = await evaluate_gate(store, RUN, gate(check), datasets, databases=databases)
    assert not result.passed
    assert "to judge" in result.checks[-1].detail


BROKEN: dict[str, tuple[list[Any], str, str]] = {
    "rows that differ": ([built.verification(different=2)], "tables_equal", "2 rows differ"),
    "a missing row": (
        [built.verification(tables=(built.verification().tables[0].model_copy(
            update={"target_rows": 9, "missing": 1}),))],
        "counts_equal", "1 missing",
    ),
    "rows that did not settle": (
        [built.verification(tables=(built.verification().tables[0].model_copy(update={"unsettled": 1}),))],
        "tables_equal", "kept changing",
    ),
    "no table at all": ([built.verification(tables=())], "tables_equal", "compared no table"),
    "sequences behind": (
        [built.verification(mode="frozen", sequences_behind=("public.s",))], "tables_equal", "public.s",
    ),
    "a verification that says no": ([built.verification(passed=False)], "tables_equal", "did not pass"),
    "a warning": ([built.preflight(built.finding())], "no_findings", "warning collation"),
    "not caught up": ([built.sync(caught_up=False)], "replication_caught_up", "the sync ended at"),
    "too far behind": ([built.sync(lag_seconds=61)], "replication_caught_up", "behind, more than"),
    "a drain that did not arrive": ([built.drain(reached=False)], "replication_caught_up", "did not reach"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_not_proved_keeps_the_gate_shut(store: EvidenceStore, name: str) -> None:
    extra, check, said = BROKEN[name]
    await write_database(store, built.preflight(), built.snapshot(), built.sync(), built.verification())
    await write_database(store, *extra)
    outcome = (await judged(store, Check(check)))[check]
    assert not outcome.passed
    assert said in outcome.detail


async def test_notes_do_not_count(store: EvidenceStore) -> None:
    await write_database(store, built.preflight(built.finding(Severity.NOTE)))
    assert (await judged(store, Check.NO_FINDINGS))["no_findings"].passed


async def test_changes_after_the_verification_make_it_stale_however_close(store: EvidenceStore) -> None:
    later = built.sync("0/30", ended_at=utc_now())
    await write_database(store, built.snapshot(), built.sync(), built.verification(), later)
    assert not (await judged(store, Check.TABLES_EQUAL))["freshness"].passed
    assert await reasons(store) == (f"{NAME}: changes were applied after its verification",)
    await write_database(store, built.verification("0/30"))
    assert await reasons(store) == ()


async def test_a_sync_that_found_nothing_makes_nothing_stale(store: EvidenceStore) -> None:
    idle = built.sync("0/30", updates=0, ended_at=utc_now())
    await write_database(store, built.snapshot(), built.verification(), idle)
    assert await reasons(store) == ()


async def test_positions_of_another_product_are_told_apart_by_time(store: EvidenceStore) -> None:
    late = built.sync("mysql-bin.000003:77", ended_at=utc_now() + timedelta(minutes=1))
    await write_database(store, built.snapshot(), built.verification("mysql-bin.000002:5"), late)
    assert "changes were applied after its verification" in (await reasons(store))[0]


async def test_an_old_verification_does_not_count(store: EvidenceStore) -> None:
    old = built.verification(verified_at=utc_now() - timedelta(hours=2))
    await write_database(store, built.snapshot(), old)
    outcome = (await judged(store, Check.TABLES_EQUAL, max_age=3600))["freshness"]
    assert "old, more than" in outcome.detail


async def test_what_flowed_back_is_not_taken_for_the_way_there(store: EvidenceStore) -> None:
    await write_database(store, built.snapshot(), built.verification())
    await write_database(store, built.sync("0/99", direction="reverse"), built.verification(different=1,
                         direction="reverse"))  # fmt: skip
    evidence = await read_database(store, RUN, NAME)
    assert evidence.sync is None
    assert await reasons(store) == ()


async def test_a_blocked_preflight_and_a_failed_verification_are_reasons(store: EvidenceStore) -> None:
    await write_database(
        store, built.preflight(built.finding(Severity.BLOCKER), passed=False), built.verification(different=3)
    )
    assert await reasons(store) == (
        f"{NAME}: its preflight found what stands in the way",
        f"{NAME}: there is neither a complete snapshot nor a sync",
        f"{NAME}: its verification failed (3 rows differ)",
    )


async def test_a_run_of_nothing_does_not_pass(store: EvidenceStore) -> None:
    summary = await summarise(store, RUN, [], [], [])
    assert summary.reasons == ("the run has no dataset, no database, no stream, no registry and no model",)


async def test_counts_add_up_over_databases(store: EvidenceStore) -> None:
    await write_database(store, built.snapshot(), built.sync(), built.sync(), built.verification())
    counts = database_counts((await read_database(store, RUN, NAME),))
    assert (counts.rows, counts.changes, counts.tables, counts.differences) == (10, 6, 1, 0)
