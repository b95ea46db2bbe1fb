"""A gate that asks for a person opens for the approval of exactly what that person saw."""

from __future__ import annotations

import pytest

from heavylift.errors import AuditError, PermanentError
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.audit_verify import verify_trail
from heavylift.evidence.numbered import write_next
from heavylift.evidence.paths import approval_path
from heavylift.evidence.records import Approval, EvidenceRef, utc_now
from heavylift.evidence.store import EvidenceStore
from heavylift.gates.approval import gate_is_open, record_approval
from heavylift.gates.evaluate import evaluate_gate
from heavylift.gates.summary import summarise, write_summary
from heavylift.spec.vocabulary import Check
from tests.unit.evidence.memory_store import MemoryStore
from tests.unit.gates import run_builder as built
from tests.unit.gates.run_builder import RUN, gate

ASKS = gate(approval=True)


@pytest.fixture
def objects() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def store(objects: MemoryStore) -> EvidenceStore:
    store = EvidenceStore(objects)
    await built.write_good_run(store)
    return store


def _answer(result: EvidenceRef, *, approved: bool = True, who: str = "ada") -> Approval:
    return Approval(
        run=RUN, gate="complete", gate_result=result, approved=approved,
        approver_id=who, approver_name="Ada L.", responded_at=utc_now(), comment="looked at every row",
    )  # fmt: skip


async def test_a_passed_gate_without_approval_is_open(store: EvidenceStore) -> None:
    assert await gate_is_open(store, RUN, gate()) == (False, "gate complete has not been evaluated")
    await evaluate_gate(store, RUN, gate(), ["train"])
    assert await gate_is_open(store, RUN, gate()) == (True, "gate complete passed")


async def test_a_failed_gate_stays_shut_whoever_approves(store: EvidenceStore) -> None:
    _result, ref = await evaluate_gate(store, RUN, ASKS, ["train", "absent"])
    await record_approval(store, _answer(ref))
    is_open, why = await gate_is_open(store, RUN, ASKS)
    assert not is_open
    assert "counts_equal of absent" in why


async def test_approval_opens_exactly_the_result_that_was_seen(store: EvidenceStore) -> None:
    _result, ref = await evaluate_gate(store, RUN, ASKS, ["train"])
    assert await gate_is_open(store, RUN, ASKS) == (False, "gate complete passed and waits for approval")
    await record_approval(store, _answer(ref))
    assert await gate_is_open(store, RUN, ASKS) == (True, "gate complete passed and was approved by Ada L.")
    await evaluate_gate(store, RUN, ASKS, ["train"])
    is_open, why = await gate_is_open(store, RUN, ASKS)
    assert not is_open
    assert "earlier results" in why


async def test_the_last_answer_counts(store: EvidenceStore) -> None:
    _result, ref = await evaluate_gate(store, RUN, ASKS, ["train"])
    await record_approval(store, _answer(ref))
    await record_approval(store, _answer(ref, approved=False))
    assert await gate_is_open(store, RUN, ASKS) == (False, "gate complete was rejected by Ada L.")


async def test_an_approval_file_without_its_audit_entry_opens_nothing(store: EvidenceStore) -> None:
    _result, ref = await evaluate_gate(store, RUN, ASKS, ["train"])
    await AuditTrail(store, "fraud").append(Act(actor="ada", action="gate.approved", subject="complete"))
    await write_next(store, lambda number: approval_path(RUN, "complete", number), _answer(ref))
    is_open, why = await gate_is_open(store, RUN, ASKS)
    assert not is_open
    assert why.endswith("is not in the audit trail")


async def test_only_assigned_users_can_approve(store: EvidenceStore) -> None:
    picky = gate(approval=True, users=("grace",))
    _result, ref = await evaluate_gate(store, RUN, picky, ["train"])
    await record_approval(store, _answer(ref))
    assert not (await gate_is_open(store, RUN, picky))[0]
    await record_approval(store, _answer(ref, who="grace"))
    assert (await gate_is_open(store, RUN, picky))[0]


async def test_an_old_result_does_not_count(
    store: EvidenceStore, objects: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heavylift.gates.evaluate.utc_now", built.long_ago)
    monkeypatch.setattr("heavylift.gates.age.CLOCK_SKEW", built.utc_now() - built.long_ago())
    await evaluate_gate(store, RUN, gate(), ["train"])
    is_open, why = await gate_is_open(store, RUN, gate())
    assert not is_open
    assert "evaluate it again" in why


async def test_a_retried_answer_is_kept_once(store: EvidenceStore) -> None:
    _result, ref = await evaluate_gate(store, RUN, ASKS, ["train"])
    answer = _answer(ref)
    # A first call that was killed between its two writes.
    await write_next(store, lambda number: approval_path(RUN, "complete", number), answer)
    assert await record_approval(store, answer) == await record_approval(store, answer)
    entries = [entry async for entry in AuditTrail(store, "fraud").entries()]
    assert [(entry.action, entry.actor, entry.subject) for entry in entries] == [
        ("gate.approved", "ada", "complete")
    ]
    assert not await store.exists(approval_path(RUN, "complete", 2))


async def test_an_answer_to_a_changed_or_foreign_result_is_refused(
    store: EvidenceStore, objects: MemoryStore
) -> None:
    other = gate(Check.COUNTS_EQUAL).model_copy(update={"name": "other"})
    _result, foreign = await evaluate_gate(store, RUN, other, ["train"])
    with pytest.raises(PermanentError) as caught:
        await record_approval(store, _answer(foreign))
    assert caught.value.code == "4102"
    _result, ref = await evaluate_gate(store, RUN, ASKS, ["train"])
    key = f"root/{ref.path}"
    objects.objects[key] = objects.objects[key].replace(b'"passed":true', b'"passed":!!!!'[:13])
    with pytest.raises(AuditError):
        await record_approval(store, _answer(ref))


async def test_the_summary_passes_only_with_every_proof_and_gate(store: EvidenceStore) -> None:
    summary = await summarise(store, RUN, ["train"], [ASKS])
    assert not summary.passed
    assert summary.reasons == ("gate complete has not been evaluated",)
    _result, ref = await evaluate_gate(store, RUN, ASKS, ["train"])
    await record_approval(store, _answer(ref))
    summary = await summarise(store, RUN, ["train"], [ASKS])
    assert summary.passed, summary.reasons
    assert summary.found == summary.moved + summary.unchanged + summary.refused + summary.failed
    assert (summary.moved.objects, summary.unchanged.objects) == (8, 2)
    assert summary.audit_head == await AuditTrail(store, "fraud").head()
    await write_summary(store, summary)
    assert (await verify_trail(store, "fraud")).anchors == 1


async def test_the_summary_names_every_reason(store: EvidenceStore) -> None:
    await built.write(store, built.plan("images"), built.verification("images", passed=False, missing=3))
    summary = await summarise(store, RUN, ["train", "images", "labels"], [])
    assert not summary.passed
    assert summary.reasons == (
        "images: 2 shards unfinished (0, 1)",
        "images: its verification failed (3 missing)",
        "labels: there is no plan",
        "labels: it was not verified",
    )
    assert summary.left.objects == 8
    assert summary.found == summary.moved + summary.unchanged + summary.left
    assert not (await summarise(store, RUN, [], [])).passed


async def test_a_dry_run_has_moved_nothing(store: EvidenceStore) -> None:
    await built.write(store, built.plan("images", dry_run=True))
    summary = await summarise(store, RUN, ["images"], [])
    assert summary.reasons == ("images: this was a dry run, nothing was moved",)
