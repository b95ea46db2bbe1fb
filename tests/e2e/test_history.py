"""The example's experiment history from one tracking server to the other, in a real scheduler."""

from __future__ import annotations

import json
from typing import Any

import pytest

from heavylift.connections import connection_from_env
from heavylift.spec import Phase
from heavylift.spec.registry_phase import spec_for
from sandbox.demo_history import look_at
from sandbox.demo_rclone import check_all
from sandbox.examples import history
from sandbox.http import request
from tests.e2e.conftest import Site
from tests.e2e.journey import Journey, Run
from tests.e2e.specs import MANAGED

GROUP = "registry_experiments"


def assert_same_history(journey: Journey) -> None:
    """Both servers show the same, and rclone finds the same artifacts."""
    seen = look_at(journey.spec, journey.stack.env)
    assert seen.equal, (seen.counts, seen.different)
    for result in check_all(spec_for(journey.spec, Phase.REGISTRY), journey.stack.env):
        assert result.equal, result.summary
        assert result.matching > 0


def finished(run: Run) -> dict[str, str]:
    """Return the states of a run's tasks, once it has ended well."""
    assert run.end() == "success", run.trouble()
    assert run.results().passed
    return run.states()


@pytest.mark.long
def test_the_history_moves_and_then_follows(journey: Journey) -> None:
    history.seed(journey.stack.env)
    states = finished(journey.start(Phase.REGISTRY))
    assert states[f"{GROUP}.copy_registry"] == "success"
    assert_same_history(journey)

    history.mutate(journey.stack.env)
    run = journey.start(Phase.REGISTRY)
    states = finished(run)
    assert states[f"{GROUP}.copy_registry"] == "skipped"
    assert states[f"{GROUP}.sync_registry"] == "success"
    (registry,) = run.results().registries
    assert 0 < registry.written < 100
    assert_same_history(journey)

    actions = [entry.action for entry in journey.trail() if entry.phase == Phase.REGISTRY.value]
    for action in ("registry.checked", "registry.copied", "registry.synced", "registry.verified"):
        assert action in actions


@pytest.mark.long
def test_servers_alone_are_enough_and_what_is_written_later_comes_back(site: Site, journey: Journey) -> None:
    history.seed(site.stack.env)
    managed = site.journey(MANAGED)
    run = managed.start(Phase.REGISTRY)
    states = finished(run)
    assert states["registry_runs.copy_registry"] == "success"
    assert not [task for task in states if task.endswith("plan")]
    (registry,) = run.results().registries
    assert registry.written > 0

    target = connection_from_env("mlflow_target", site.stack.env).host or ""
    ours = [each for each in experiments(target) if each["name"].endswith("(managed/runs)")]
    body = {"experiment_id": ours[0]["experiment_id"], "run_name": "after the switch", "start_time": 1}
    ask(target, "runs/create", body)
    before = len(runs_called(site, "after the switch"))
    states = finished(managed.start(Phase.REGISTRY, bring_back=["runs"]))
    assert states["publish"] == "skipped"
    assert (before, len(runs_called(site, "after the switch"))) == (0, 1)
    proofs = [each for each in managed.trail() if each.action == "registry.verified"]
    assert [each.subject for each in proofs] == ["runs", "runs.back"]
    assert all(each.details["passed"] for each in proofs)


def ask(server: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send a request to a tracking server as any client would."""
    url = f"{server}/api/2.0/mlflow/{path}"
    headers = {"Content-Type": "application/json"}
    answer = request(url, method="POST", headers=headers, body=json.dumps(body).encode(), timeout=60.0)
    assert answer.status == 200, answer.body
    return dict(json.loads(answer.body))


def experiments(server: str) -> list[dict[str, Any]]:
    """Return a server's experiments."""
    return list(ask(server, "experiments/search", {"max_results": 1000})["experiments"])


def runs_called(site: Site, name: str) -> list[dict[str, Any]]:
    """Return the source's runs of a name."""
    source = connection_from_env("mlflow_source", site.stack.env).host or ""
    ids = [each["experiment_id"] for each in experiments(source)]
    body = {"experiment_ids": ids, "filter": f"attributes.run_name = '{name}'"}
    return list(ask(source, "runs/search", body).get("runs", ()))
