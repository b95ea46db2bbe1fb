"""The operators of compliance as Airflow runs them, on a real folder."""

from __future__ import annotations

from typing import Any

import pytest

from heavylift.errors import IncompleteError
from heavylift_airflow.operators.compliance import CheckComplianceOperator, ScanDatasetOperator
from tests.plugins.world import World, context_of


def ran(world: World, kind: type, **arguments: Any) -> Any:
    task = kind(task_id="it", spec_path=world.spec_path, phase="transfer", **arguments)
    return task.execute(context_of(task))


def test_a_scan_is_evidence_and_a_broken_rule_is_refused(world: World) -> None:
    (world.source / "people.csv").write_text("id,mail\n1,joe.canary@example.com\n")
    places = [{"match": "file://", "jurisdiction": "US", "encrypted": True}]
    rules = {"frameworks": ["gdpr"], "places": places}
    world.save(compliance=rules)
    assert ran(world, ScanDatasetOperator, subject="data")["classes"] == ("personal",)
    assert [entry.action for entry in world.trail()] == ["compliance.scanned"]
    # From the US nothing of the rule for transfers applies; from the EU it does.
    world.save(
        compliance={**rules, "places": [*places, {"match": f"file://{world.source}", "jurisdiction": "EU"}]}
    )
    with pytest.raises(IncompleteError, match=r"GDPR-001.*HL-8330"):
        ran(world, CheckComplianceOperator)
    excepted = {"rule": "GDPR-001", "reason": "pilot", "approver": "dpo", "expires": "2999-01-01"}
    world.save(
        compliance={
            **rules,
            "places": [*places, {"match": f"file://{world.source}", "jurisdiction": "EU"}],
            "exceptions": [excepted],
        }
    )
    assert ran(world, CheckComplianceOperator)["passed"] is True
    assert "compliance.exception_used" in [entry.action for entry in world.trail()]
    assert not [path for path in world.evidence.rglob("*.json") if "canary" in path.read_text()]


def test_scanning_and_judging_again_find_the_same(world: World) -> None:
    (world.source / "people.csv").write_text("id,mail\n1,joe.canary@example.com\n")
    world.save(
        compliance={
            "frameworks": ["gdpr"],
            "places": [{"match": "file://", "jurisdiction": "US", "encrypted": True}],
        }
    )
    for kind, arguments in ((ScanDatasetOperator, {"subject": "data"}), (CheckComplianceOperator, {})):
        assert ran(world, kind, **arguments) == ran(world, kind, **arguments)
