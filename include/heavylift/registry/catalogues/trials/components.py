"""Components on the target, one for each run, with their parameters, tags, times and points."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from heavylift.registry.catalogues.experiments.points import PointReader
from heavylift.registry.catalogues.experiments.reading import Held
from heavylift.registry.catalogues.leaves import Leaves, digest_of
from heavylift.registry.catalogues.planning import UNFINISHED, State, state_of
from heavylift.registry.catalogues.trials.experiments import tags_in
from heavylift.registry.catalogues.trials.families import TrialsOf
from heavylift.registry.catalogues.trials.limits import trial_limits
from heavylift.registry.catalogues.trials.naming import is_of, run_name
from heavylift.registry.catalogues.trials.points import REASONS, Due, Sending, lost_in, mark_of, shown
from heavylift.registry.catalogues.trials.run import Run
from heavylift.registry.catalogues.trials.service import taken
from heavylift.registry.catalogues.trials.shapes import (
    END,
    TAGS,
    component_fields,
    component_leaves,
    leaves_there,
    removals,
)
from heavylift.registry.catalogues.trials.source import Raw, run_id
from heavylift.registry.interface.context import each_of
from heavylift.registry.interface.names import PARENT_RUN
from heavylift.registry.interface.points import RUNS_AT_ONCE, Points
from heavylift.registry.interface.runs import ENDED

SORT, POINTS = "trial components", "metric points"


@dataclass
class Part:
    """One run on its way.

    :param there: as the target had it before this run; None where it was missing.
    :param due: its points must be looked at.
    :param made: it was made in this run.
    :param stays: somebody else changed it, and it is left as it is.
    :param arn: its own there.
    """

    run: Raw
    trial: str
    name: str
    wanted: Leaves
    there: Held | None = None
    due: bool = False
    made: bool = False
    stays: bool = False
    arn: str = ""
    changed: bool = False
    broken: bool = False
    lost: Counter[str] = field(default_factory=Counter)
    sending: Sending | None = None

    @property
    def id(self) -> str:
        """The source's id."""
        return run_id(self.run)

    @property
    def metrics(self) -> Sequence[Raw]:
        """The latest points that a search shows."""
        return (self.run.get("data") or {}).get("metrics") or ()


@dataclass
class Components:
    """The components of one experiment.

    :param listed: names of those that are there, perhaps of others too.
    """

    run: Run
    trials: TrialsOf
    listed: set[str] = field(default_factory=set)
    done: int = 0

    def __post_init__(self) -> None:
        self._histories = Points(self.run.history.server, self.run.tally.fallbacks)
        self._theirs = PointReader(self.run.service)

    async def read(self) -> None:
        """List what is there."""
        experiment = self.trials.experiment
        if not experiment.fresh:
            named = await self.run.service.listed(
                "ListTrialComponents", "TrialComponentSummaries", ExperimentName=experiment.name
            )
            self.listed = {str(each["TrialComponentName"]) for each in named}
            self.run.there |= {name for name in self.listed if is_of(self.run.registry, name)}

    async def move(self, page: Sequence[Raw]) -> None:
        """Bring a page of runs, some at a time, so that memory is bounded by these."""
        for start in range(0, len(page), RUNS_AT_ONCE):
            await self._group(page[start : start + RUNS_AT_ONCE])

    async def _group(self, runs: Sequence[Raw]) -> None:
        name = self.trials.experiment.thing["name"]
        self.run.tell(f"runs of experiment {name}", self.done, len(self.trials.families.ids))
        self.done += len(runs)
        self.run.tally.found(SORT, len(runs))
        parts: list[Part] = []

        async def begin(run: Raw) -> None:
            parts.append(await self._begin(run))

        await each_of(self.run.tally, SORT, runs, begin, run_id, self.run.parallel)
        await self._points([each for each in parts if each.due])
        await self._each(parts, self._finish)

    async def _each(self, parts: Sequence[Part], act: Callable[[Part], Awaitable[None]]) -> None:
        async def guarded(part: Part) -> None:
            if part.broken:
                return
            part.broken = True
            await act(part)
            part.broken = False

        await each_of(self.run.tally, SORT, parts, guarded, lambda part: part.id, self.run.parallel)

    async def _begin(self, run: Raw) -> Part:
        """Make a run's component, or bring it up to date but for its points."""
        own = run_id(run)
        wanted = component_leaves(
            run, self.run.uri, self.run.losing(f"run {own}"), last_values=bool(self.run.no_points)
        )
        name = run_name(self.run.registry, own)
        self.run.met.add(name)
        part = Part(run, self.trials.name_of(run), name, wanted)
        if name in self.listed:
            part.there = await self.run.held("TrialComponent", name)
        if part.there is None:
            await self.trials.make_sure(run)
            await self._make(part)
        if part.there is not None:
            await self._update(part)
        return part

    async def _make(self, part: Part) -> None:
        run, part.due = self.run, True
        tags = tags_in(part.wanted) | run.marks(part.id, digest_of(part.wanted), unfinished=True)
        request = {
            "TrialComponentName": part.name,
            "Tags": run.listed(tags),
            **component_fields(part.wanted, made=True),
        }

        async def is_ours() -> bool:
            part.there = await run.held("TrialComponent", part.name)
            return part.there is not None and run.origin_of(part.there.tags) is not None

        made = await run.changes.make("CreateTrialComponent", request, is_ours)
        part.made = True
        run.tally.created(SORT)
        if made is None:
            # It was made by a run that was killed, or by a request whose answer was lost.
            return
        part.arn = str(made.get("TrialComponentArn") or "")
        await run.tags_stay("TrialComponent", part.name, tags)
        names = {"TrialName": part.trial, "TrialComponentName": part.name}
        await run.changes.put("AssociateTrialComponent", names)

    async def _update(self, part: Part) -> None:
        run, there = self.run, part.there
        if there is None:
            return
        part.arn = str(there.described["TrialComponentArn"])
        origin = run.origin_of(there.tags)
        if origin is None:
            raise taken("CreateTrialComponent", part.name)
        held = leaves_there(there.described, there.tags)
        if END in held and END not in part.wanted:
            # No request takes an end away: that of a run which was taken up again stays until the next one.
            part.wanted = part.wanted | {END: held[END]}
        state = state_of(part.wanted, held, origin)
        unfinished = origin.digest.startswith(UNFINISHED)
        mark = run.points_mark(there.tags)
        part.due = (
            run.full
            or unfinished
            or mark.partition(":")[0] != self._shown(part)
            or str(part.run["info"].get("status")) not in ENDED
        )
        part.lost = lost_in(mark)
        if state is State.OTHERS and run.conflicts(SORT, part.id, part.wanted, held):
            part.stays, part.due = True, False
            return
        if state is not State.EQUAL or run.full or part.trial not in self.trials.listed:
            # A settled run whose trial is there cannot have another name since, or another trial.
            await self.trials.make_sure(part.run)
        if unfinished or run.full or part.wanted.get(TAGS + PARENT_RUN) != held.get(TAGS + PARENT_RUN):
            await self._associate(part)
        if state is not State.EQUAL:
            await self._write(part, there, held)
            part.changed = True

    async def _write(self, part: Part, there: Held, held: Leaves) -> None:
        run, changes = self.run, self.run.changes
        gone = [path for path in held if path not in part.wanted]
        removed = removals(gone)
        if removed:
            # By itself: that the rest is replaced, or added, is then one and the same.
            await changes.put("UpdateTrialComponent", {"TrialComponentName": part.name, **removed})
        native = {path: value for path, value in part.wanted.items() if not path.startswith(TAGS)}
        if native != {path: value for path, value in held.items() if not path.startswith(TAGS)}:
            body = {"TrialComponentName": part.name, **component_fields(native)}
            await changes.put("UpdateTrialComponent", body)
        tags, has = tags_in(part.wanted), tags_in(held)
        # Until the last request is answered the mark says that more must follow.
        tags |= run.marks(part.id, digest_of(part.wanted), unfinished=True)
        put = {key: value for key, value in tags.items() if there.tags.get(key) != value}
        await changes.tag(part.arn, put, [key for key in has if key not in tags])

    async def _associate(self, part: Part) -> None:
        """Put a component into its trial, and take it out of another one of ours."""
        run = self.run
        listed = await run.service.listed("ListTrials", "TrialSummaries", TrialComponentName=part.name)
        names = {str(each["TrialName"]) for each in listed}
        if part.trial not in names:
            body = {"TrialName": part.trial, "TrialComponentName": part.name}
            await run.changes.put("AssociateTrialComponent", body)
            part.changed = True
        for name in sorted(names - {part.trial}):
            held = await run.held("Trial", name)
            if held is not None and run.origin_of(held.tags) is not None:
                body = {"TrialName": name, "TrialComponentName": part.name}
                await run.changes.put("DisassociateTrialComponent", body)
                part.changed = True

    async def _points(self, parts: Sequence[Part]) -> None:
        """Read the histories of runs, metric by metric, and send what the target lacks."""
        runs_by_metric: dict[str, list[Part]] = {}
        for part in parts:
            part.lost = Counter()
            part.sending = Sending(self.run.changes, part.name)
            # A metric that was logged for several datasets is named once for each.
            for metric in sorted({str(each["key"]) for each in part.metrics}):
                runs_by_metric.setdefault(metric, []).append(part)
        for metric, of in runs_by_metric.items():
            due: dict[str, Due] = {part.id: Due() for part in of}
            async for own, points in self._histories.of(metric, list(due)):
                due[own].take(points)
            await self._each(of, partial(self._send, metric, due))

    async def _send(self, metric: str, of: Mapping[str, Due], part: Part) -> None:
        due = of[part.id]
        number = len(due.points) + due.lost.total()
        self.run.tally.found(POINTS, number)
        if self.run.no_points:
            part.lost["u"] += max(number - 1, 0)
            return
        if trial_limits().metric.wrong(metric):
            part.lost["n"] += number
            return
        part.lost += due.losses(time.time())
        if not self.run.writes or part.sending is None:
            return
        known = await self._known(part, metric)
        missing = {step: point for step, point in due.points.items() if known.get(step) != point[0]}
        await part.sending.add(metric, missing)

    def _shown(self, part: Part) -> str:
        return shown(part.metrics, last_values=bool(self.run.no_points))

    async def _known(self, part: Part, metric: str) -> dict[int, float]:
        """Return which values the target shows, by step."""
        if part.there is None:
            return {}
        series = (await self._theirs.of(part.there.described)).get(metric)
        return {step: value for value, _, step in series.points} if series else {}

    async def _finish(self, part: Part) -> None:
        """Send what is left, and last of all the marks that say that all of it is there."""
        for letter, count in part.lost.items():
            item, reason = REASONS[letter]
            self.run.tally.lose("metric", item, reason, f"run {part.id}", count)
        if part.stays:
            return
        sent = 0
        if part.sending is not None and self.run.writes:
            await part.sending.flush()
            sent = part.sending.sent
        if sent:
            self.run.tally.created(POINTS, sent)
        points = mark_of(self._shown(part), part.lost)
        tags = part.there.tags if part.there is not None else {}
        wanted = self.run.marks(part.id, digest_of(part.wanted), points=points)
        if part.changed or not wanted.items() <= tags.items():
            await self.run.changes.tag(part.arn, wanted, [])
        if not part.made and (part.changed or sent):
            self.run.tally.changed(SORT)
