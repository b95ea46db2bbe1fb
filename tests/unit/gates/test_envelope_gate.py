"""A gate asks whether envelopes were opened again after they were sealed, and hold what they did."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heavylift.evidence.envelope_records import Act, EnvelopeRecord, envelope_path
from heavylift.evidence.records import CheckOutcome, utc_now
from heavylift.evidence.store import EvidenceStore
from heavylift.gates.envelope_checks import envelope_reasons
from heavylift.gates.evaluate import evaluate_gate
from heavylift.spec.vocabulary import Check, Phase
from tests.unit.evidence.memory_store import MemoryStore
from tests.unit.gates.run_builder import RUN, gate
from tests.unit.spec.samples import changed, load, problems_of


@pytest.fixture
def store() -> EvidenceStore:
    return EvidenceStore(MemoryStore())


def record(act: Act, minutes_ago: float, **changes: Any) -> EnvelopeRecord:
    ended = utc_now() - timedelta(minutes=minutes_ago)
    values: dict[str, Any] = {
        "migration": RUN.migration, "name": "models", "act": act, "source": "", "target": "s3://sealed/models/",
        "key": "a key", "started_at": ended - timedelta(seconds=1), "ended_at": ended, "found": 3, "done": 3,
        "equal": 0, "failed": 0, "size_bytes": 9, "passed": True, "statement": f"3 of 3 {act}",
    }  # fmt: skip
    return EnvelopeRecord(**values | changes)


async def judged(
    store: EvidenceStore, *records: EnvelopeRecord, names: tuple[str, ...] = ("models",)
) -> dict[str, CheckOutcome]:
    for each in records:
        await store.write_json(envelope_path(each.migration, each.name, each.act, 1), each)
    result, _ = await evaluate_gate(store, RUN, gate(Check.ENVELOPES_VERIFIED), [], envelopes=names)
    assert result.passed == all(each.passed for each in result.checks)
    return {each.name: each for each in result.checks}


async def test_what_was_opened_after_it_was_sealed_passes_and_names_its_evidence(
    store: EvidenceStore,
) -> None:
    outcomes = await judged(store, record("seal", 10), record("verify", 5))
    assert {name: each.passed for name, each in outcomes.items()} == {
        "envelopes_verified": True,
        "freshness": True,
    }
    found = outcomes["envelopes_verified"]
    assert (found.subject, len(found.evidence)) == ("models", 2)
    assert "3 objects below s3://sealed/models/" in found.detail
    assert await envelope_reasons(store, RUN.migration, ["models"]) == []


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "not sealed"),
        ([record("seal", 10)], "not verified"),
        ([record("seal", 5), record("verify", 10)], "sealed again since it was verified"),
        ([record("seal", 10), record("verify", 5, passed=False, statement="2 of 3")], "2 of 3"),
        ([record("seal", 10, passed=False, statement="1 of 3"), record("verify", 5)], "1 of 3"),
    ],
)
async def test_what_is_not_proved_keeps_the_gate_shut(
    store: EvidenceStore, records: list[EnvelopeRecord], said: str
) -> None:
    outcome = (await judged(store, *records))["envelopes_verified"]
    assert not outcome.passed
    assert said in outcome.detail
    [reason] = await envelope_reasons(store, RUN.migration, ["models"])
    assert reason.startswith(f"envelope models: {said}")


async def test_an_old_verification_does_not_count(store: EvidenceStore) -> None:
    outcomes = await judged(store, record("seal", 3000), record("verify", 2000))
    assert outcomes["envelopes_verified"].passed
    assert not outcomes["freshness"].passed


async def test_a_gate_without_an_envelope_does_not_pass(store: EvidenceStore) -> None:
    outcomes = await judged(store, names=())
    assert outcomes["envelopes_verified"].detail == "there is no envelope to judge"


ENVELOPE = {
    "name": "models",
    "source": "s3://fraud/models/",
    "target": "gs://fraud/sealed/",
    "key": {"connection": "model_key"},
}


@pytest.mark.parametrize(
    ("phase", "envelopes", "codes"),
    [("transfer", [ENVELOPE], []), ("transfer", [], ["9773"]), ("sync", [ENVELOPE], ["9773"])],
)
def test_only_a_gate_of_the_phase_that_seals_may_ask(
    tmp_path: Path, phase: str, envelopes: list[dict[str, Any]], codes: list[str]
) -> None:
    asked = {"name": "sealed", "phase": phase, "checks": ["envelopes_verified"]}
    found = problems_of(tmp_path, changed(envelopes=envelopes, gates=[asked]))
    assert [each.code for each in found] == codes


def test_the_default_gate_asks_where_there_is_an_envelope(tmp_path: Path) -> None:
    without = load(tmp_path, changed()).gates_for(Phase.TRANSFER)[0]
    sealed = load(tmp_path, changed(envelopes=[ENVELOPE])).gates_for(Phase.TRANSFER)[0]
    assert set(sealed.checks) - set(without.checks) == {Check.ENVELOPES_VERIFIED}
    assert sealed.approval.required
