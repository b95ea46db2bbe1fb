"""Alerts as Airflow translates them: kept, refused, accepted, and run again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from heavylift.errors import IncompleteError
from heavylift_airflow.operators.alerts import TranslateAlertsOperator
from tests.plugins.world import World, context_of
from tests.support.alarms import alarm


def translate(world: World, *alarms: dict[str, Any], **more: Any) -> dict[str, Any]:
    path = world.root / "alarms.json"
    path.write_text(json.dumps(list(alarms)))
    task = TranslateAlertsOperator(
        task_id="task", spec_path=world.spec_path, phase="provision", documents=[str(path)],
        source="cloudwatch", target="prometheus", **more,
    )  # fmt: skip
    return task.execute(context_of(task))


def test_a_second_run_tells_the_same_and_keeps_both(world: World) -> None:
    world.save(gates=[])
    first = translate(world, alarm())
    assert (first["equal"], first["passed"]) == (1, True)
    assert translate(world, alarm()) == first
    kept = sorted(path.name for path in world.evidence.rglob("~alerts/*"))
    assert kept == ["translation-1.json", "translation-2.json"]


def test_what_has_no_counterpart_is_refused_unless_it_is_accepted(world: World) -> None:
    world.save(gates=[])
    odd = alarm(AlarmName="odd", MetricName="Unheard")
    with pytest.raises(IncompleteError, match="HL-9354"):
        translate(world, alarm(), odd)
    assert translate(world, alarm(), odd, accepted=["odd"])["untranslated"] == 1
