"""The tasks of envelopes: in the transfer alone, after the rules, and before any gate."""

from __future__ import annotations

from pathlib import Path

from heavylift.spec import Phase, load_specs
from heavylift_airflow.phases.movement import movement_dag
from tests.dags.specs import write

ENVELOPES = [
    {
        "name": "models",
        "source": "s3://models/",
        "target": "gs://sealed/models/",
        "key": {"connection": "envelope_key"},
    }
]


def test_the_transfer_seals_and_verifies_after_the_rules_are_judged(tmp_path: Path) -> None:
    rules = {"frameworks": ["residency"], "allowed_regions": ["EU"], "scan": False}
    [loaded] = load_specs(write(tmp_path, "some", envelopes=ENVELOPES, compliance=rules).parent).valid
    dag = movement_dag(loaded, Phase.TRANSFER)
    assert dag is not None
    seal, verify = (dag.get_task(f"envelope_models.{name}") for name in ("seal", "verify_sealed"))
    assert seal.upstream_task_ids == {"check_compliance"}
    assert seal.trigger_rule == verify.trigger_rule == "all_success"
    assert verify.upstream_task_ids == {"envelope_models.seal"}
    assert verify.downstream_task_ids
    assert all(name.startswith("gate_") for name in verify.downstream_task_ids)
    assert all("*To do:*" in (task.doc_md or "") for task in (seal, verify))


def test_a_sync_seals_nothing(tmp_path: Path) -> None:
    [loaded] = load_specs(write(tmp_path, "some", envelopes=ENVELOPES).parent).valid
    dag = movement_dag(loaded, Phase.SYNC)
    assert dag is not None
    assert not [task for task in dag.task_ids if "envelope" in task]
