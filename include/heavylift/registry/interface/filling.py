"""Fills runs: inputs and outputs, parameters, every point of every metric, tags, status and times."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from heavylift.errors import PermanentError
from heavylift.registry.interface.artifacts import Place
from heavylift.registry.interface.batches import (
    cut_off,
    demand_plain,
    described_input,
    log_batch,
    long_values,
    refused_items,
)
from heavylift.registry.interface.context import Context
from heavylift.registry.interface.merging import Merge, note, noted, pairs
from heavylift.registry.interface.names import NAME_GIVEN, PARENT_RUN, pairs_of, tags_of
from heavylift.registry.interface.points import RUNS_AT_ONCE, Point, Points
from heavylift.registry.interface.runs import (
    API,
    END,
    ENDED,
    NAME,
    SORT,
    STATUS,
    Runs,
    RunState,
    Shown,
    source_run,
    target_run,
)

_METRICS_AT_ONCE, _OTHERS_AT_ONCE, _ALL_AT_ONCE = 1000, 100, 1000
GROUPS_AT_ONCE = 2
"""Groups of runs whose points are in memory: one is read while another is written."""
POINTS = "metric points"

ModelPoints = dict[str, dict[tuple[str, str, int, int], list[dict[str, str]]]]
"""By run of the source, which points belong to logged models and datasets as well."""


@dataclass
class Fill:
    """One run on its way.

    :param there: what the target shows of it; None where it is empty.
    :param points: waiting to be sent.
    :param known: points that the target has, by metric.
    :param refused: what of it the target's server does not take.
    :param broken: something of it was refused, so that it must not be called finished.
    """

    source: str
    state: RunState
    wanted: Shown
    there: Shown | None
    tags: Mapping[str, str]
    points: list[dict[str, Any]] = field(default_factory=list)
    known: dict[str, set[Point]] = field(default_factory=dict)
    linked: set[tuple[str, str, int, int]] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    place: Place | None = None
    sent: int = 0
    broken: bool = False


@dataclass
class Filling:
    """Fills the runs of one experiment.

    :param model_points: points that must be sent, and with what they belong to.
    :param turns: of which each group takes one; shared by all experiments that are filled at once.
    :param looked_at: the source's ids of the runs that needed it.
    """

    context: Context
    runs: Runs
    model_points: ModelPoints
    turns: asyncio.Semaphore
    looked_at: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        tally = self.context.tally
        self._ours = Points(self.context.source, tally.fallbacks)
        self._theirs = Points(self.context.target, tally.fallbacks)
        self._origins = self.context.origins(self.context.maps.runs)

    async def run(self) -> None:
        """Fill all runs of the experiment that need it, a group at a time."""
        async for page in self.runs.pages():
            due = [run for run in page if self._is_due(run)]
            self.looked_at += map(_run_id, due)
            groups = [due[start : start + RUNS_AT_ONCE] for start in range(0, len(due), RUNS_AT_ONCE)]
            await self.context.each(
                SORT, groups, self._in_turn, lambda group: _run_id(group[0]), at_once=GROUPS_AT_ONCE
            )

    def _is_due(self, run: Mapping[str, Any]) -> bool:
        source = str(run["info"]["run_id"])
        state = self.runs.states.get(source)
        if state is None:
            # It began after the runs were counted: the next sync has it.
            return False
        state.wanted_deleted = run["info"].get("lifecycle_stage") == "deleted"
        return (
            self.context.full
            or not state.settled
            or source in self.model_points
            or run["info"].get("status") not in ENDED
            or state.digest != source_run(run, self.context).digest()
        )

    async def _in_turn(self, runs: Sequence[Mapping[str, Any]]) -> None:
        async with self.turns:
            await self._group(runs)

    async def _group(self, runs: Sequence[Mapping[str, Any]]) -> None:
        self.context.tell(f"runs of experiment {self.runs.experiment.id}")
        fills: dict[str, Fill] = {}

        async def begin(run: Mapping[str, Any]) -> None:
            fill = await self._begin(run)
            fills[fill.source] = fill

        await self.context.each(SORT, runs, begin, _run_id)
        await self._each(list(fills.values()), self._inputs)
        if self.context.histories:
            await self._histories(fills)
        if self.context.artifacts is not None:
            await self._each(list(fills.values()), self._artifacts)
        await self._each(list(fills.values()), self._finish)

    async def _each(self, fills: Sequence[Fill], act: Callable[[Fill], Awaitable[None]]) -> None:
        async def guarded(fill: Fill) -> None:
            if fill.broken:
                return
            fill.broken = True
            await act(fill)
            fill.broken = False

        await self.context.each(SORT, fills, guarded, lambda fill: fill.source)

    async def _begin(self, run: Mapping[str, Any]) -> Fill:
        source = _run_id(run)
        state = self.runs.states[source]
        wanted = source_run(run, self.context)
        there, tags = None, {}
        if state.settled and state.digest == wanted.digest():
            # All but its points is known to be equal.
            there = wanted
        elif not state.fresh:
            answer = await self.context.target.get(f"{API}/get", {"run_id": state.target_id})
            there, tags = target_run(answer["run"]), tags_of(answer["run"].get("data", {}).get("tags"))
        place = self.runs.place_of(run)
        return Fill(source, state, wanted, there, tags, place=place)

    async def _inputs(self, fill: Fill) -> None:
        """Log the datasets and models that are missing; each sort once, for a second time would count."""
        missing = sorted(fill.wanted.inputs - (fill.there.inputs if fill.there else frozenset()))
        lines = [(each, json.loads(each)) for each in missing]
        datasets = [
            (line, {"dataset": each["dataset"], "tags": pairs_of(dict(each["tags"]))})
            for line, each in lines
            if "dataset" in each
        ]
        models = [(line, {"model_id": each["model_input"]}) for line, each in lines if "model_input" in each]
        outputs = [
            (line, {"model_id": each["model_output"], "step": each["step"]})
            for line, each in lines
            if "model_output" in each
        ]
        for name, path, things in (
            ("datasets", "log-inputs", datasets),
            ("models", "log-inputs", models),
            ("models", "outputs", outputs),
        ):
            if things:
                await self.runs.awake(fill.state)
                await self._log_inputs(fill, name, path, things)

    async def _log_inputs(
        self, fill: Fill, name: str, path: str, things: Sequence[tuple[str, Mapping[str, Any]]]
    ) -> None:
        """Log things; where the server refuses them together, each by itself."""
        body = {"run_id": fill.state.target_id, name: [thing for _, thing in things]}
        try:
            await self._log_once(fill, f"{API}/{path}", body, [line for line, _ in things])
        except PermanentError as error:
            demand_plain(error)
            if len(things) == 1:
                fill.refused.append(f"{described_input(things[0][1])}: {error.got}")
                return
            for each in things:
                await self._log_inputs(fill, name, path, [each])

    async def _log_once(self, fill: Fill, path: str, body: Mapping[str, Any], lines: Iterable[str]) -> None:
        kind = (
            "model_output" if path.endswith("outputs") else "model_input" if "models" in body else "dataset"
        )

        async def there() -> bool | None:
            answer = await self.context.target.get(f"{API}/get", {"run_id": fill.state.target_id})
            found = target_run(answer["run"]).inputs
            return True if {each for each in lines if f'"{kind}"' in each} <= found else None

        await self.context.target.create(path, body, pick=lambda _: True, find=there, planned=lambda _: True)
        fill.sent += 1

    async def _artifacts(self, fill: Fill) -> None:
        if fill.place is not None and fill.place.source and self.context.artifacts is not None:
            await self.context.artifacts.through_servers(fill.place)

    async def _histories(self, fills: Mapping[str, Fill]) -> None:
        runs_by_metric: dict[str, list[str]] = {}
        for source, fill in fills.items():
            for name in {key for key, *_ in fill.wanted.metrics}:
                runs_by_metric.setdefault(name, []).append(source)
        for name, runs in runs_by_metric.items():
            await self._known(name, [fills[run] for run in runs if not fills[run].state.fresh])
            async for run, points in self._ours.of(name, runs):
                self._take(fills[run], name, points)
                if len(fills[run].points) >= _METRICS_AT_ONCE:
                    await self._each([fills[run]], self._send_full)
            for run in runs:
                fills[run].known.pop(name, None)

    async def _known(self, name: str, fills: Sequence[Fill]) -> None:
        by_target = {fill.state.target_id: fill for fill in fills if _has(fill.there, name)}
        if not by_target:
            return
        async for run, points in self._theirs.of(name, list(by_target)):
            by_target[run].known.setdefault(name, set()).update(points)

    def _take(self, fill: Fill, name: str, points: Iterable[Point]) -> None:
        known = fill.known.get(name, set())
        linked = self.model_points.get(fill.source, {})
        latest = fill.wanted.metrics
        # Of points that tie a server shows the first that it was sent as the latest.
        for value, timestamp, step in sorted(points, key=lambda point: (name, *point) not in latest):
            body = {"key": name, "value": _sent(value), "timestamp": timestamp, "step": step}
            # Not every database keeps the sign of a zero.
            plain = "0.0" if value == "-0.0" else value
            key = (name, plain, timestamp, step)
            if value == "nan" and key not in linked:
                # Of a logged model's NaN the server keeps a zero.
                key = (name, "0.0", timestamp, step)
            links = [] if key in fill.linked else linked.get(key, [])
            fill.points += [{**body, **link} for link in links]
            if links:
                fill.linked.add(key)
            elif (value, timestamp, step) not in known and (plain, timestamp, step) not in known:
                fill.points.append(body)

    async def _send_full(self, fill: Fill) -> None:
        while len(fill.points) >= _METRICS_AT_ONCE:
            batch, fill.points = fill.points[:_METRICS_AT_ONCE], fill.points[_METRICS_AT_ONCE:]
            await self._send(fill, {"metrics": batch})

    async def _send(self, fill: Fill, body: Mapping[str, Any], last: Mapping[str, str] | None = None) -> None:
        await self.runs.awake(fill.state)
        before = len(fill.refused)
        await log_batch(self.context.target, {"run_id": fill.state.target_id, **body}, fill.refused, last)
        points = len(body.get("metrics", ()))
        self.context.tally.created(POINTS, max(points - len(fill.refused) + before, 0))
        fill.sent += 1

    async def _finish(self, fill: Fill) -> None:
        """Send what is left, and last of all the note that says that all of it is there."""
        context = self.context
        earlier = noted(fill.tags)
        parent = fill.there.fields.get(PARENT_RUN) if fill.there else None
        if earlier is not None and parent is not None:
            earlier = replace(earlier, also={PARENT_RUN: self._origins.get(parent, parent)})
        merge = context.policy.merge(fill.wanted.fields, fill.there.fields if fill.there else {}, earlier)
        params = dict(fill.wanted.params.items() - (fill.there.params if fill.there else {}).items())
        self._lost_links(fill)
        tags = {key: value for key, value in merge.put.items() if key not in {STATUS, NAME, END}}
        facts = self._facts(fill, merge)
        for key in merge.delete:
            await self.runs.awake(fill.state)
            await context.target.gone(
                "POST", f"{API}/delete-tag", {"run_id": fill.state.target_id, "key": key}
            )
        rest = list(tags.items())
        while len(rest) + len(facts) > _OTHERS_AT_ONCE:
            part, rest = rest[: _OTHERS_AT_ONCE // 2], rest[_OTHERS_AT_ONCE // 2 :]
            await self._send(fill, {"tags": pairs_of(dict(part))})
        given = list(params.items())
        while len(given) > _OTHERS_AT_ONCE:
            part, given = given[:_OTHERS_AT_ONCE], given[_OTHERS_AT_ONCE:]
            await self._send(fill, {"params": pairs_of(dict(part))})
        await self._send_in_order(fill, dict(given), dict(rest), facts)
        await self._update(fill, merge)
        if fill.refused:
            raise refused_items(fill.source, fill.refused)
        changed = bool(fill.sent or merge)
        context.tally.merged(SORT, fill.source, merge, changes=False)
        if changed and not fill.state.fresh:
            context.tally.changed(SORT)

    def _facts(self, fill: Fill, merge: Merge) -> dict[str, str]:
        if fill.state.settled and not merge:
            return {}
        kept = {key: fill.there.fields[key] for key in merge.kept} if fill.there else {}
        # Status, name and end follow in a request of their own: what they are until then is ours, too.
        there = fill.there.fields if fill.there else {STATUS: "RUNNING"}
        until_then = {key: there[key] for key in (STATUS, NAME, END) if key in merge.put and key in there}
        return note({**fill.wanted.fields, **kept}, pairs(until_then))

    async def _send_in_order(
        self, fill: Fill, params: Mapping[str, str], tags: Mapping[str, str], facts: Mapping[str, str]
    ) -> None:
        """Send the rest; the note that all is there only where that is so."""
        await self._send_full(fill)
        room = _ALL_AT_ONCE - len(params) - len(tags) - len(facts)
        if len(fill.points) > room:
            batch, fill.points = fill.points[room:], fill.points[:room]
            await self._send(fill, {"metrics": batch})
        body = {"metrics": fill.points, "params": pairs_of(params), "tags": pairs_of(tags)}
        given = {name: each for name, each in body.items() if each}
        long = long_values(fill.wanted.params, tags)
        if long and given and facts:
            await self._send(fill, given)
            fill.refused += await cut_off(self.context.target, fill.state.target_id, long)
            given = {}
        if given or (facts and not fill.refused):
            await self._send(fill, given, facts)
        fill.points = []

    async def _update(self, fill: Fill, merge: Merge) -> None:
        body: dict[str, Any] = {"run_id": fill.state.target_id}
        if STATUS in merge.put:
            body["status"] = merge.put[STATUS]
        if END in merge.put:
            body["end_time"] = int(merge.put[END])
        if NAME in merge.put and not fill.state.fresh:
            body["run_name"] = merge.put[NAME]
        if NAME in merge.put and NAME_GIVEN in fill.tags:
            # It has got a name there since: from now on that counts.
            given = {"run_id": fill.state.target_id, "key": NAME_GIVEN}
            await self.context.target.gone("POST", f"{API}/delete-tag", given)
        if fill.state.fresh and body.get("status") == "RUNNING" and "end_time" not in body:
            return
        if len(body) > 1:
            await self.runs.awake(fill.state)
            await self.context.target.write("POST", f"{API}/update", body)

    def _lost_links(self, fill: Fill) -> None:
        if not self.context.histories:
            return
        lost = self.model_points.get(fill.source, {}).keys() - fill.linked
        for key in lost:
            self.context.tally.lose(
                "logged model",
                "metrics that its run does not have",
                "the interface writes them with the run's"
                " only, which would then have more than on the source",
                f"{fill.source}/{key[0]}",
            )


def _has(shown: Shown | None, metric: str) -> bool:
    return shown is not None and any(key == metric for key, *_ in shown.metrics)


def _sent(value: str) -> float | str:
    number = float(value)
    return number if number - number == 0 else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[value]


def _run_id(run: Mapping[str, Any]) -> str:
    return str(run["info"]["run_id"])
