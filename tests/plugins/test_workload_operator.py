"""The operator that tests the moved workload, as Airflow runs it."""

from __future__ import annotations

import json

import pytest

from heavylift.errors import IncompleteError
from heavylift_airflow.operators.workload import TryWorkloadOperator
from tests.plugins.world import World, context_of
from tests.support.scoring_server import scoring_server


def test_testing_again_adds_a_record_and_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = world.root / "golden.jsonl"
    golden.write_text(json.dumps({"inputs": [[1.0, 2.0]]}))
    with scoring_server() as source, scoring_server() as target:
        for name, server in (("ends_source", source), ("ends_target", target)):
            connection = {"conn_type": "http", "host": f"http://127.0.0.1:{server.port}"}
            monkeypatch.setenv(f"AIRFLOW_CONN_{name}".upper(), json.dumps(connection))
        world.save(
            workload_tests={
                "requests": golden.as_uri(),
                "connection": "ends_target",
                "functional": {"source_connection": "ends_source"},
            }
        )
        made = TryWorkloadOperator(
            task_id="task", spec_path=world.spec_path, phase="cutover", kind="functional"
        )
        first, second = (made.execute(context_of(made, attempt=attempt)) for attempt in (1, 2))
        assert first == second == {"kind": "functional", "verdict": "passed", "cases": 1}
        target.manner.shift = 1.0
        with pytest.raises(IncompleteError, match="HL-9339"):
            made.execute(context_of(made, attempt=3))
    assert len(list((world.evidence / "small" / "~workload").glob("functional-*.json"))) == 3
    assert world.actions() == ["workload.tested"] * 3
