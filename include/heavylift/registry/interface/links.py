"""Links of traces to runs that did not make them: an evaluation's run has the traces that it judged."""

from __future__ import annotations

from collections.abc import Iterable

from heavylift.errors import NotFoundError
from heavylift.registry.interface.context import Context
from heavylift.registry.interface.runs import Runs
from heavylift.registry.rest.client import TrackingServer
from heavylift.registry.rest.links import linked_traces

SORT = "links of traces"
_LINK = "api/2.0/mlflow/traces/link-to-run"
_MOST = 100
"""How many the server takes with one request."""
AT_REST = 500
"""Runs at rest whose links a sync looks at."""


def runs_to_look_at(context: Context, runs: Runs, changed: Iterable[str], *, every: bool) -> list[str]:
    """Return the source's ids of the runs whose links are looked at; others are counted.

    Nothing of a run or trace tells that they were linked, and each run costs a search: of those at rest a
    sync takes so many, and leaves the others to a copy.
    """
    if every or context.full:
        return list(runs.states)
    due = set(changed)
    rest = [each for each in runs.states if each not in due]
    taken = rest[: max(0, AT_REST - context.links_looked_at)]
    context.links_looked_at += len(taken)
    context.links_not_looked_at += len(rest) - len(taken)
    return [*due, *taken]


async def move_links(context: Context, runs: Runs, looked_at: Iterable[str]) -> None:
    """Link the target's traces as the source's are; the interface takes no link away.

    :param looked_at: the source's ids of the runs that are looked at.
    """
    states = {each: runs.states[each] for each in looked_at if each in runs.states}
    ours = await _linked(context, context.source, runs.experiment.id, states, "source")
    there = {states[each].target_id: each for each in ours if not states[each].fresh}
    theirs = await _linked(context, context.target, runs.experiment.target_id, there, "target")
    for run, traces in ours.items():
        context.tally.found(SORT, len(traces))
        missing = sorted(traces - theirs.get(states[run].target_id, set()))
        for start in range(0, len(missing), _MOST):
            await _link(context, states[run].target_id, missing[start : start + _MOST])


async def _linked(
    context: Context, server: TrackingServer, experiment: str, runs: Iterable[str], side: str
) -> dict[str, set[str]]:
    try:
        return await linked_traces(server, experiment, runs)
    except NotFoundError:
        context.tally.fallbacks.add(f"{side} traces/search: links of traces to runs are left out")
        return {}


async def _link(context: Context, run: str, traces: list[str]) -> None:
    try:
        # What is linked already stays as it is, so this may be sent twice.
        await context.target.write("POST", _LINK, {"run_id": run, "trace_ids": traces})
    except NotFoundError:
        context.tally.fallbacks.add("target traces/link-to-run: links of traces to runs are left out")
        context.tally.lose("trace", "links to runs", "the target takes none", count=len(traces))
        return
    context.tally.created(SORT, len(traces))
