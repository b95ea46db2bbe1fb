"""The example's experiment history from one tracking server to the other, in a real scheduler."""

from __future__ import annotations

import pytest

from heavylift.spec import Phase
from heavylift.spec.registry_phase import spec_for
from sandbox.demo_history import look_at
from sandbox.demo_rclone import check_all
from sandbox.examples import history
from tests.e2e.journey import Journey, Run

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
