"""From Airflow's context to the library's types."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from heavylift.errors import SpecError
from heavylift.evidence.paths import check_path
from heavylift_airflow.context import actor_of, run_key, run_options


def test_run_ids_become_distinct_safe_folders() -> None:
    ids = ["manual__2026-11-22T10:00:00+00:00", "manual__2026-11-22T10:00:00-00:00", "../../etc", "a b"]
    folders = [run_key("m", "transfer", run_id).folder for run_id in ids]
    assert len(set(folders)) == len(ids)
    for folder in folders:
        check_path(f"{folder}/plan.json")


def test_empty_form_fields_leave_the_specs_limits() -> None:
    for empty in ({}, {"bandwidth_limit": None, "shard_objects": None}, {"bandwidth_limit": ""}):
        options = run_options(empty)
        assert (options.dry_run, options.bandwidth_bytes_per_second, options.shard_objects) == (
            False,
            None,
            None,
        )


def test_the_form_overrides_limits() -> None:
    options = run_options({"dry_run": True, "bandwidth_limit": "200MiB/s", "shard_objects": 7})
    assert (options.dry_run, options.bandwidth_bytes_per_second, options.shard_objects) == (
        True,
        200 * 2**20,
        7,
    )


def test_a_bandwidth_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(SpecError, match=r"bandwidth_limit.*200MiB/s.*HL-8002"):
        run_options({"bandwidth_limit": "fast"})


@pytest.mark.parametrize(
    ("user", "expected"), [("eva", "eva"), (None, "airflow (scheduled)"), ("", "airflow (scheduled)")]
)
def test_the_actor_is_who_started_the_run(user: str | None, expected: str) -> None:
    context: Any = {"dag_run": SimpleNamespace(triggering_user_name=user, run_type="scheduled")}
    assert actor_of(context) == expected
