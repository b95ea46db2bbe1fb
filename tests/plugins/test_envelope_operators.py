"""The operators of envelopes as Airflow runs them, on real folders, with a key of Airflow's."""

from __future__ import annotations

import base64
import os
from typing import Any

import pytest

from heavylift.errors import IncompleteError
from heavylift_airflow.operators.closing import SummariseRunOperator
from heavylift_airflow.operators.envelopes import SealEnvelopeOperator, VerifyEnvelopeOperator
from heavylift_airflow.operators.gates import EvaluateGateOperator
from tests.plugins.world import World, context_of


def ran(world: World, kind: type, **arguments: Any) -> Any:
    task = kind(task_id="it", spec_path=world.spec_path, phase="transfer", **arguments)
    return task.execute(context_of(task))


@pytest.fixture
def sealing(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the key of an envelope that the world's spec has now."""
    key = base64.b64encode(os.urandom(32)).decode()
    monkeypatch.setenv("AIRFLOW_CONN_MODEL_KEY", f'{{"conn_type": "envelope_key", "password": "{key}"}}')
    models = world.source.parent / "models"
    models.mkdir()
    (models / "model.bin").write_bytes(b"weights" * 1000)
    (world.source.parent / "sealed").mkdir()
    envelope = {
        "name": "models",
        "source": f"file://{models}",
        "target": f"file://{world.source.parent / 'sealed'}",
        "key": {"connection": "model_key"},
    }
    world.save(envelopes=[envelope])
    return key


def test_a_second_run_seals_nothing_and_verifies_again(world: World, sealing: str) -> None:
    first = ran(world, SealEnvelopeOperator, envelope="models")
    assert (first["done"], first["failed"]) == (1, 0)
    second = ran(world, SealEnvelopeOperator, envelope="models")
    assert (second["done"], second["equal"], second["sent_bytes"]) == (0, 1, 0)
    assert ran(world, VerifyEnvelopeOperator, envelope="models") == ran(
        world, VerifyEnvelopeOperator, envelope="models"
    )
    assert [entry.action for entry in world.trail()] == [*["envelope.sealed"] * 2, *["envelope.verified"] * 2]
    kept = [path.read_bytes() for path in world.evidence.rglob("*") if path.is_file()]
    assert not [data for data in kept if sealing.encode() in data or base64.b64decode(sealing) in data]


def test_what_was_altered_fails_the_task_and_the_run(world: World, sealing: str) -> None:
    ran(world, SealEnvelopeOperator, envelope="models")
    with pytest.raises(IncompleteError, match="envelope models: not verified"):
        ran(world, SummariseRunOperator)
    [sealed] = (world.source.parent / "sealed").glob("*.sealed")
    sealed.write_bytes(sealed.read_bytes()[:-1] + b"?")
    with pytest.raises(IncompleteError, match=r"HL-9356.*HL-9362"):
        ran(world, VerifyEnvelopeOperator, envelope="models")
    with pytest.raises(IncompleteError, match="envelope models: 0 of 1"):
        ran(world, SummariseRunOperator)


def test_the_default_gate_of_the_transfer_judges_envelopes_too(world: World, sealing: str) -> None:
    world.save(gates=[])
    ran(world, SealEnvelopeOperator, envelope="models")
    with pytest.raises(IncompleteError, match="envelopes_verified of models: not verified"):
        ran(world, EvaluateGateOperator, gate="transfer-verified")
    ran(world, VerifyEnvelopeOperator, envelope="models")
    with pytest.raises(IncompleteError) as refused:
        ran(world, EvaluateGateOperator, gate="transfer-verified")
    assert "counts_equal" in str(refused.value)
    assert "envelopes_verified" not in str(refused.value)
