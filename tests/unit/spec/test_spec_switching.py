"""What ``cutover`` may name: streams, registries, schedules; and what is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.evidence.records import RunKey
from heavylift.spec.load import load_spec
from heavylift.spec.model import MigrationSpec
from heavylift.spec.problems import SpecFileError
from heavylift.spec.registry_phase import spec_for
from heavylift.spec.vocabulary import Phase
from heavylift.streams.requests import FenceOptions, stream_request
from tests.dags.specs import write

STREAM = {
    "name": "events",
    "source": {"engine": "kafka", "connection": "old"},
    "target": {"engine": "kafka", "connection": "new"},
}
HUBS = {**STREAM, "target": {"engine": "event_hubs", "connection": "new"}}
ACL = {"stream": "events", "principals": ["User:orders"]}
MARKER = {"stream": "events", "fence": "marker"}
DAG = {"adapter": "airflow", "connection": "old", "id": "train"}
RULE = {"adapter": "eventbridge_rule", "connection": "aws", "id": "default/train"}
SCHEDULE = {"name": "nightly", "source": DAG, "target": RULE, "cron": "0 2 * * *", "missed": "tell"}


HISTORY = {
    "name": "history",
    "source": {"connection": "old"},
    "target": {"connection": "new"},
    "deletes": "propagate",
}


def load(tmp_path: Path, stream: Any = STREAM, registry: Any = HISTORY, **cutover: Any) -> MigrationSpec:
    section = {"runbook_owner": "mary", **cutover}
    registries = [registry, {**HISTORY, "name": "other"}]
    return load_spec(write(tmp_path, "some", streams=[stream], registries=registries, cutover=section))


def test_what_is_named_is_switched_and_has_the_fence_that_the_spec_says(tmp_path: Path) -> None:
    spec = load(tmp_path, streams=[{**ACL, "settle": 2}], schedules=[SCHEDULE])
    assert spec.cutover is not None
    assert spec.cutover.schedules[0].timezone == "UTC"
    run = RunKey(migration="some", phase="cutover", run="r")
    request = stream_request(spec, "events", run, lambda name: Connection(name, "kafka"))
    assert request.fence == FenceOptions("acl", ("User:orders",), 2, switched=True)
    back = request.reversed()
    assert (back.source, back.target) == (request.target, request.source)
    assert (back.options.known_only, back.options.follow_groups) == (True, True)
    alone = load(tmp_path, streams=[MARKER])
    assert stream_request(alone, "events", run, lambda name: Connection(name, "kafka")).fence.kind == "marker"


def test_the_phases_of_a_switch_see_the_registries_that_they_switch_and_no_others(tmp_path: Path) -> None:
    spec = load(tmp_path, registries=["history"])
    seen = {phase: [each.name for each in spec_for(spec, phase).registries] for phase in Phase}
    assert seen[Phase.CUTOVER] == seen[Phase.ROLLBACK] == ["history"]
    assert seen[Phase.REGISTRY] == ["history", "other"]
    assert seen[Phase.SYNC] == []


@pytest.mark.parametrize(
    ("cutover", "code"),
    [
        ({}, "8712"),
        ({"streams": [{**ACL, "stream": "other"}]}, "9640"),
        ({"streams": [ACL, ACL]}, "9640"),
        ({"streams": [{"stream": "events"}]}, "9641"),
        ({"streams": [{**ACL, "principals": ["User:*"]}]}, "9641"),
        ({"streams": [{**ACL, "principals": ["orders"]}]}, "9641"),
        ({"streams": [{**MARKER, "principals": ["User:orders"]}]}, "9641"),
        ({"stream": HUBS, "streams": [ACL]}, "9642"),
        ({"registries": ["another"]}, "9551"),
        ({"registries": ["history", "history"]}, "9551"),
        ({"registries": ["history"], "registry": {**HISTORY, "deletes": "keep"}}, "9552"),
        ({"registries": ["history"], "registry": {**HISTORY, "path": "api"}}, "9553"),
        ({"schedules": [{**SCHEDULE, "cron": "0 25 * * *"}]}, "9643"),
        ({"schedules": [{**SCHEDULE, "timezone": "Europe/Atlantis"}]}, "9644"),
        ({"schedules": [{**SCHEDULE, "timezone": "../etc/passwd"}]}, "9644"),
        ({"schedules": [SCHEDULE, SCHEDULE]}, "9645"),
        ({"schedules": [{**SCHEDULE, "target": DAG}]}, "9646"),
        ({"schedules": [{**SCHEDULE, "missed": "run"}]}, "9647"),
    ],
)
def test_what_could_not_be_switched_is_refused_by_name(
    tmp_path: Path, cutover: dict[str, Any], code: str
) -> None:
    with pytest.raises(SpecFileError) as refused:
        load(tmp_path, **cutover)
    assert f"HL-{code}" in [f"HL-{each.code}" for each in refused.value.problems]
