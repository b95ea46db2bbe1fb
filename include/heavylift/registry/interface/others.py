"""Scorers and webhooks; neither has tags, so that what makes one the same is what it says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from heavylift.registry.interface.context import Context, optional
from heavylift.registry.interface.runs import Runs
from heavylift.registry.rest.client import TrackingServer

_SCORERS = "api/3.0/mlflow/scorers"
_WEBHOOKS = "api/2.0/mlflow/webhooks"
SCORERS, WEBHOOKS = "scorers", "webhooks"


@dataclass
class Scorers:
    """The scorers of one experiment, which is one that this migration made."""

    context: Context
    runs: Runs

    async def move(self) -> None:
        """Register each version that is missing, in order."""
        context, experiment = self.context, self.runs.experiment
        if experiment.gone:
            return
        found = await self._all(context.source, experiment.id)
        there = {} if experiment.fresh or not found else await self._all(context.target, experiment.target_id)
        context.tally.kept(SCORERS, sum(len(there[name]) for name in there.keys() - found.keys()))
        for name, versions in found.items():
            context.tally.found(SCORERS, len(versions))
            known = there.get(name, {})
            for number in sorted(versions):
                act = partial(self._one, name, number, versions[number], known)
                await context.guarded(SCORERS, f"{name}/{number}", act)
            await self._clear(name, versions, known)

    async def _all(self, server: TrackingServer, experiment: str) -> dict[str, dict[int, str]]:
        """Return scorers by name and version."""
        latest = await optional(
            _scorers(server, "list", {"experiment_id": experiment}),
            self.context.tally,
            f"{server.name} scorers",
        )
        found: dict[str, dict[int, str]] = {}
        for each in latest:
            name, number = str(each["scorer_name"]), int(each.get("scorer_version") or 1)
            found[name] = {number: str(each.get("serialized_scorer", ""))}
            if number > 1:
                query = {"experiment_id": experiment, "name": name}
                async for version in _scorers(server, "versions", query):
                    text = str(version.get("serialized_scorer", ""))
                    found[name][int(version.get("scorer_version") or 1)] = text
        return found

    async def _one(self, name: str, number: int, text: str, there: dict[int, str]) -> None:
        if number in there:
            if json.loads(there[number]) != json.loads(text):
                self.context.tally.conflict(
                    SCORERS, f"{name}/{number}", "the target has another of that number"
                )
            return
        if number < max(there, default=0):
            self.context.tally.conflict(SCORERS, f"{name}/{number}", "the target gives that number no more")
            return
        experiment = self.runs.experiment.target_id
        body = {"experiment_id": experiment, "name": name, "serialized_scorer": text}

        async def find() -> int | None:
            known = (await self._all(self.context.target, experiment)).get(name, {})
            return max((each for each in known if each not in there), default=None)

        # The number of a version that is deleted last is given again: gaps are made afterwards.
        made = 0
        while made < number:
            made = await self.context.target.create(
                f"{_SCORERS}/register",
                body,
                pick=lambda answer: int(answer["version"]),
                find=find,
                planned=lambda _: number,
            )
            there[made] = text
        if made > number:
            self.context.tally.conflict(SCORERS, f"{name}/{number}", f"the target gave it the number {made}")
            return
        self.context.tally.created(SCORERS)

    async def _clear(self, name: str, wanted: dict[int, str], there: dict[int, str]) -> None:
        """Delete what only held a number, and what the source has no more, as the policy says.

        A number below one that the source has was given by us: others get the next ones.
        """
        below = [each for each in there if each not in wanted and each < max(wanted)]
        for number in below:
            following = wanted[min(each for each in wanted if each > number)]
            held = json.loads(there[number]) == json.loads(following)
            if not held and not self.context.policy.propagate:
                self.context.tally.kept(SCORERS)
                continue
            query = {"experiment_id": self.runs.experiment.target_id, "name": name, "version": number}
            await self.context.target.gone("DELETE", f"{_SCORERS}/delete", query)
            if not held:
                self.context.tally.deleted(SCORERS)
        self.context.tally.kept(SCORERS, sum(each > max(wanted) for each in there))


@dataclass
class Webhooks:
    """All webhooks of a move."""

    context: Context

    async def move(self) -> None:
        """Make those that are missing: without their secrets, and not active."""
        context = self.context
        found = await optional(_webhooks(context.source), context.tally, "source webhooks")
        there = await optional(_webhooks(context.target), context.tally, "target webhooks") if found else []
        context.tally.found(WEBHOOKS, len(found))
        known = {_shown(each) for each in there}
        taken = {str(each["name"]): each for each in there}
        for each in found:
            name = str(each["name"])
            context.tally.lose(
                "webhook",
                "its secret and that it is active",
                "the interface tells no secret; it is made DISABLED,"
                " since both servers would call its address: set the secret and activate it at the switch",
                name,
            )
            if _shown(each) in known:
                continue
            if name in taken:
                context.tally.conflict(WEBHOOKS, name, "the target has another webhook of that name")
                continue
            await context.guarded(WEBHOOKS, name, partial(self._make, each))

    async def _make(self, webhook: Mapping[str, Any]) -> None:
        body = {key: webhook[key] for key in ("name", "url", "events", "description") if webhook.get(key)}

        async def find() -> bool | None:
            async for each in _webhooks(self.context.target):
                if _shown(each) == _shown(webhook):
                    return True
            return None

        await self.context.target.create(
            _WEBHOOKS, {**body, "status": "DISABLED"}, pick=lambda _: True, find=find, planned=lambda _: True
        )
        self.context.tally.created(WEBHOOKS)


def _shown(webhook: Mapping[str, Any]) -> str:
    shown = {key: webhook.get(key) or "" for key in ("name", "url", "description")}
    events = sorted(json.dumps(each, sort_keys=True) for each in webhook.get("events") or ())
    return json.dumps([shown, events], sort_keys=True)


async def _scorers(
    server: TrackingServer, route: str, query: dict[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    answer = await server.get(f"{_SCORERS}/{route}", query)
    for each in answer.get("scorers") or []:
        yield each


async def _webhooks(server: TrackingServer) -> AsyncIterator[dict[str, Any]]:
    async for page in server.pages(_WEBHOOKS, "webhooks", {"max_results": 100}):
        for each in page:
            yield each
