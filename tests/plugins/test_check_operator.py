"""The table check as Airflow runs it, on a real CSV file."""

from __future__ import annotations

from typing import Any

import pytest

from heavylift_airflow.operators.checks import CheckDatasetOperator
from tests.plugins.test_transfer_operators import copy_all
from tests.plugins.world import World, context_of

EXPECTATIONS = [
    {
        "name": "people",
        "format": "csv",
        "path": "people.csv",
        "suite": [{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id"}}],
    }
]


@pytest.fixture
def table(world: World) -> World:
    """Return the migration with one table among its objects, copied."""
    (world.source / "people.csv").write_text("id,age\n1,30\n2,40\n")
    (dataset,) = world.spec["datasets"]
    world.save(datasets=[{**dataset, "expectations": EXPECTATIONS}])
    copy_all(world)
    return world


def check(world: World) -> Any:
    task = CheckDatasetOperator(
        task_id="check_tables", spec_path=world.spec_path, phase="transfer", dataset="data"
    )
    return task.execute(context_of(task))


def test_equal_tables_pass_and_the_check_is_evidence(table: World) -> None:
    summary = check(table)
    assert summary["expectations_passed"] is True
    assert summary["profiles_equal"] is True
    assert (summary["source_rows"], summary["target_rows"]) == (2, 2)
    entry = table.trail()[-1]
    assert entry.action == "dataset.checked"
    assert (table.evidence / entry.evidence[0].path).is_file()


def test_a_changed_cell_is_written_down_for_the_gate_to_judge(table: World) -> None:
    (table.target / "people.csv").write_text("id,age\n1,30\n2,41\n")
    summary = check(table)
    assert summary["expectations_passed"] is True
    assert summary["profiles_equal"] is False


def test_checking_again_adds_a_record(table: World) -> None:
    check(table)
    check(table)
    assert len(list(table.run_folder().glob("data/check-*.json"))) == 2
