"""The example's experiment history from one tracking server to the other, in a real scheduler."""

from __future__ import annotations

import pytest

from heavylift.spec import Phase
from heavylift.spec.registry_phase import spec_for
from sandbox.demo_history import look_at
from sandbox.demo_rclone import check_all
from sandbox.examples import history
from tests.e2e.conftest import Site
from tests.e2e.journey import Journey, Run
from tests.e2e.specs import MANAGED
from tests.support import history as small

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
    return run.states()


@pytest.mark.long
def test_the_history_moves_and_then_follows(journey: Journey) -> None:
    history.seed(journey.stack.env)
    run = journey.start(Phase.REGISTRY)
    states = finished(run)
    assert run.results().passed
    assert states[f"{GROUP}.copy_registry"] == "success"
    assert_same_history(journey)

    history.mutate(journey.stack.env)
    run = journey.start(Phase.REGISTRY)
    states = finished(run)
    assert states[f"{GROUP}.copy_registry"] == "skipped"
    assert states[f"{GROUP}.sync_registry"] == "success"
    assert run.results().passed
    (registry,) = run.results().registries
    assert 0 < registry.written < 100
    assert_same_history(journey)

    actions = [entry.action for entry in journey.trail() if entry.phase == Phase.REGISTRY.value]
    for action in ("registry.checked", "registry.copied", "registry.synced", "registry.verified"):
        assert action in actions


@pytest.mark.long
def test_servers_alone_are_enough_and_what_is_written_later_comes_back(site: Site) -> None:
    source, target = site.managed
    small.fill(source)
    managed = site.journey(MANAGED)
    run = managed.start(Phase.REGISTRY)
    states = finished(run)
    assert states["registry_runs.copy_registry"] == "success"
    assert not [task for task in states if task.endswith("plan")]
    (registry,) = run.results().registries
    assert registry.written > 0

    ((there,),) = target.sql("SELECT experiment_id FROM experiments WHERE name = 'second'")
    small.run(target, str(there), 77)
    states = finished(managed.start(Phase.REGISTRY, bring_back=["runs"]))
    assert states["publish_result"] == "skipped"
    assert source.sql("SELECT status FROM runs WHERE name = 'run 77'") == [("FINISHED",)]
    proofs = [each for each in managed.trail() if each.action == "registry.verified"]
    assert [each.subject for each in proofs] == ["runs", "runs.back"]
    assert all(each.details["passed"] for each in proofs)
