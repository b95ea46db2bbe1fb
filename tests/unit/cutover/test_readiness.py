"""What is looked at before a switch: each thing that is missing shuts the gate, by name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from heavylift.cutover.ports import Side
from heavylift.cutover.readiness import look_at_world
from heavylift.evidence.access_records import (
    AccessMatrix,
    AccessRecord,
    AccessVerification,
    translation_path,
    verification_path,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.paths import summary_path
from heavylift.evidence.records import PhaseSummary, RunKey, Tally, utc_now
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.evidence.switch_evidence import read_switch
from heavylift.evidence.switch_records import (
    ReadinessItem,
    ReadinessRecord,
    RehearsalRecord,
    switch_path,
)
from heavylift.gates.readiness import Demanded, earlier_phases
from heavylift.gates.switch_checks import judge_cutover_ready, switch_reasons
from heavylift.spec.vocabulary import Phase
from tests.support.memory_switch import Fate, MemoryDatabase, Workload

NOTHING = Tally()
DAY = timedelta(days=1)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[EvidenceStore]:
    async with open_evidence(f"file://{tmp_path}/evidence", None) as opened:
        yield opened


def missing(items: Sequence[ReadinessItem]) -> dict[str, str]:
    return {f"{each.item} {each.subject}".strip(): each.detail for each in items if not each.passed}


async def summary(
    store: EvidenceStore, phase: Phase, *, passed: bool = True, age: timedelta = DAY / 24
) -> None:
    run = RunKey(migration="shop", phase=phase.value, run=f"{phase.value}-{age.total_seconds():.0f}")
    record = PhaseSummary(
        run=run, finished_at=utc_now() - age, passed=passed, reasons=() if passed else ("rows differ",),
        found=NOTHING, moved=NOTHING, unchanged=NOTHING, refused=NOTHING, failed=NOTHING,
    )  # fmt: skip
    await write_next(store, lambda number: summary_path(run, number), record)


def demanded(**changes: object) -> Demanded:
    standard: dict[str, object] = {
        "phases": [(Phase.TRANSFER, ()), (Phase.REGISTRY, ())],
        "moves_on": True,
        "infrastructure": False,
        "rehearsed_within": None,
    }
    return Demanded(**{**standard, **changes})  # type: ignore[arg-type]


async def test_every_phase_must_have_come_to_its_end(store: EvidenceStore) -> None:
    await summary(store, Phase.TRANSFER)
    found = missing(await earlier_phases(store, "shop", demanded()))
    assert found == {"phase registry": "no run of it has come to its end"}
    await summary(store, Phase.REGISTRY, passed=False)
    assert missing(await earlier_phases(store, "shop", demanded())) == {"phase registry": "rows differ"}


async def test_an_old_transfer_counts_only_while_a_sync_keeps_it_up(store: EvidenceStore) -> None:
    await summary(store, Phase.TRANSFER, age=30 * DAY)
    wanted = demanded(phases=[(Phase.TRANSFER, ())])
    assert "30 d old" in missing(await earlier_phases(store, "shop", wanted))["phase transfer"]
    await summary(store, Phase.SYNC)
    assert missing(await earlier_phases(store, "shop", wanted)) == {}
    still = demanded(phases=[(Phase.TRANSFER, ())], moves_on=False)
    assert "phase transfer" in missing(await earlier_phases(store, "shop", still))


async def test_a_rehearsal_must_have_passed_lately(store: EvidenceStore) -> None:
    wanted = demanded(phases=[], rehearsed_within=DAY.total_seconds())
    assert "never rehearsed" in missing(await earlier_phases(store, "shop", wanted))["rehearsal"]
    run = RunKey(migration="shop", phase="cutover", run="r")
    record = RehearsalRecord(
        run=run, passed=True, steps=(), expected_pause_seconds=1.5, write_pause_budget_seconds=5
    )
    await write_next(store, lambda number: switch_path(run, "rehearsal", number), record)
    assert missing(await earlier_phases(store, "shop", wanted)) == {}
    later = utc_now() + 2 * DAY
    assert "rehearsal" in missing(await earlier_phases(store, "shop", wanted, later))


async def test_infrastructure_that_nobody_looked_at_is_not_ready(store: EvidenceStore) -> None:
    found = missing(await earlier_phases(store, "shop", demanded(phases=[], infrastructure=True)))
    assert found == {"infrastructure": "nobody has looked for drift: run shop.drift"}


async def test_the_world_is_ready_when_the_source_serves_and_the_target_is_a_copy() -> None:
    workload = Workload([MemoryDatabase("a")])
    parts = workload.seen_by(Fate())
    assert missing(await look_at_world(parts, owner="mary", max_lag=5)) == {}
    workload.requests.target_percent = 20
    workload.databases[0].fences[Side.SOURCE].frozen = True
    workload.databases[0].fences[Side.TARGET].opened = 3
    assert set(missing(await look_at_world(parts, owner=" ", max_lag=5))) == {
        "owner", "writes a", "route requests",
    }  # fmt: skip


async def test_a_server_that_does_not_answer_is_an_item_and_no_crash() -> None:
    workload = Workload([MemoryDatabase("a")])
    found = await look_at_world(workload.seen_by(Fate("error", 1)), owner="mary", max_lag=5)
    assert list(missing(found)) == ["writes a"] or list(missing(found)) == ["database a"]


async def test_without_a_stream_there_is_nothing_to_switch_to() -> None:
    workload = Workload([MemoryDatabase("a")])
    workload.databases[0].applied[Side.TARGET] = None
    found = missing(await look_at_world(workload.seen_by(Fate()), owner="mary", max_lag=5))
    assert found == {"lag a": "no stream of changes flows to the target"}


@pytest.mark.parametrize(("passed", "age"), [(True, 0), (False, 0), (True, 7200)])
async def test_the_gate_takes_only_a_fresh_look_that_found_nothing(
    store: EvidenceStore, passed: bool, age: int
) -> None:
    run = RunKey(migration="shop", phase="cutover", run="r")
    now = utc_now()
    assert not judge_cutover_ready(await read_switch(store, run), DAY, now).passed
    item = ReadinessItem(item="lag", subject="a", passed=passed, detail="3 s")
    record = ReadinessRecord(run=run, seen_at=now - timedelta(seconds=age), owner="mary", items=(item,))
    await write_next(store, lambda number: switch_path(run, "readiness", number), record)
    outcome = judge_cutover_ready(await read_switch(store, run), timedelta(hours=1), now)
    assert outcome.passed is (passed and not age)
    assert passed or "lag a: 3 s" in outcome.detail


async def test_a_run_without_a_switch_does_not_pass(store: EvidenceStore) -> None:
    run = RunKey(migration="shop", phase="cutover", run="r")
    assert switch_reasons(await read_switch(store, run), "target") == ["writes were not switched"]


def permissions(run: RunKey, digest: str, *, passed: bool = True) -> AccessRecord:
    return AccessRecord(
        run=run, source="aws", target="gcp", source_account="1", target_account="p", max_excess=0, logs=False,
        identities=(), roles=(), bindings=(), trusts=(), untranslated=(), nothing_needed=(), unused=(),
        escalations=(), documents={}, digest=digest, passed=passed, failures=(),
        matrix=AccessMatrix(questions=4, kept=4, lost=0, excess=0, accepted_excess=0),
    )  # fmt: skip


async def test_permissions_have_to_be_what_was_last_translated(store: EvidenceStore) -> None:
    asked = demanded(phases=[], access=True)

    async def told() -> str:
        return missing(await earlier_phases(store, "shop", asked)).get("access matrix", "")

    assert "no permissions were translated" in await told()
    one = RunKey(migration="shop", phase="provision", run="one")
    by_shell = RunKey(migration="shop", phase="provision", run="shell")
    await store.write_json(translation_path(one, 1), permissions(one, "first"))
    assert "nobody has compared the target's permissions with translation first" in await told()
    seen = AccessVerification(
        run=by_shell, digest="first", compared=3, difference_count=1, differences=(), passed=False
    )
    await store.write_json(verification_path(by_shell, 1), seen)
    assert await told() == "the target differs from the translation in 1 permission"
    equal = AccessVerification(
        run=by_shell, digest="first", compared=3, difference_count=0, differences=(), passed=True
    )
    await store.write_json(verification_path(by_shell, 2), equal)
    assert await told() == ""
    await store.write_json(translation_path(one, 2), permissions(one, "second"))
    assert "translation second" in await told(), "what was compared is an older one"
    await store.write_json(translation_path(one, 3), permissions(one, "first", passed=False))
    assert "more than the source" in await told()


async def test_a_switch_that_was_cut_off_is_told_with_what_lets_writes_go_on() -> None:
    workload = Workload([MemoryDatabase("db")])
    for fence in workload.databases[0].fences.values():
        fence.frozen = True
    found = missing(await look_at_world(workload.seen_by(Fate()), owner="mary", max_lag=60.0))
    assert "a rollback lets writes go on at the source" in found["writes db"]
    # Frozen since it was left for the target, it is no such thing.
    workload.databases[0].fences[Side.TARGET].opened = 7
    found = missing(await look_at_world(workload.seen_by(Fate()), owner="mary", max_lag=60.0))
    assert "was it switched before" in found["writes db"]
