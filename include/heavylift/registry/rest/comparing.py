"""Compares two tracking servers field by field, by what their public interface tells and nothing else."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeVar

from heavylift.errors import CredentialError, HeavyliftError, NotFoundError, PermanentError
from heavylift.evidence.registry_records import MAX_NAMED, RegistryCompared, RegistryDifference
from heavylift.registry.rest.artifacts import UNREADABLE, Owner, artifact_digests
from heavylift.registry.rest.histories import Histories, History
from heavylift.registry.rest.reading import ONLY_IN_WHOLE_COPIES, Reader, Things
from heavylift.registry.rest.workspaces import DEFAULT

T = TypeVar("T")
Kind = Literal["missing", "extra", "different"]


@dataclass
class Result:
    """What a comparison found; differences beyond those that are named are counted."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    differences: list[RegistryDifference] = field(default_factory=list)
    difference_count: int = 0
    unread: list[str] = field(default_factory=list)
    points: int = 0

    def compare(self, what: str, source: Mapping[str, T], target: Mapping[str, T]) -> list[str]:
        """Compare things of one sort by id; return the ids that both sides have."""
        common: list[str] = []
        for name in sorted({*source, *target}):
            if name not in target:
                self._differs(what, name, "missing")
            elif name not in source:
                self._differs(what, name, "extra")
            else:
                common.append(name)
                wrong = _wrong_fields(source[name], target[name])
                if wrong is None:
                    self._count(what, "equal")
                else:
                    self._differs(what, name, "different", wrong)
        counter = self.counts.setdefault(what, Counter())
        counter["source"] += len(source)
        counter["target"] += len(target)
        return common

    def unreadable(self, what: str, place: str) -> None:
        """Note that a sort of things could not be read: nothing of it is called equal."""
        self._differs(what, place, "different", (UNREADABLE,))

    def _differs(self, what: str, name: str, kind: Kind, fields: tuple[str, ...] = ()) -> None:
        self._count(what, kind)
        self.difference_count += 1
        if len(self.differences) < MAX_NAMED:
            self.differences.append(RegistryDifference(what=what, id=name, kind=kind, fields=fields))

    def _count(self, what: str, kind: str) -> None:
        self.counts.setdefault(what, Counter())[kind] += 1

    def compared(self) -> tuple[RegistryCompared, ...]:
        """Return the counts of each sort."""
        names = ("source", "target", "equal", "different", "missing", "extra")
        return tuple(
            RegistryCompared(what=what, **{name: count[name] for name in names})
            for what, count in self.counts.items()
        )


def _wrong_fields(source: object, target: object) -> tuple[str, ...] | None:
    if source == target:
        return None
    if isinstance(source, Mapping) and isinstance(target, Mapping):
        return tuple(sorted(name for name in {*source, *target} if source.get(name) != target.get(name)))
    if isinstance(source, str) and isinstance(target, str):
        return (UNREADABLE,) if UNREADABLE in source or UNREADABLE in target else ("content",)
    return ("points",)


@dataclass
class Comparison:
    """A comparison of two servers.

    :param artifacts: compare artifacts, too, by the digests of what the servers send.
    :param contents: False compares artifacts by names and sizes alone.
    :param at_once: owners whose artifacts are read at once.
    :param told: is called with what is being compared.
    :param workspace: whose things the two sides show; by default those of the default one.
    """

    source: Reader
    target: Reader
    artifacts: bool
    at_once: int
    told: Callable[[str], None]
    result: Result = field(default_factory=Result)
    workspace: str = ""
    contents: bool = True

    async def run(self) -> list[str]:
        """Compare everything; one experiment after the other, so that memory is bounded by the largest.

        :return: workspaces that both sides have besides, which are still to be compared.
        """
        self.told("experiments")
        # One after the other, as the webhooks below: by the source's names the target's are understood.
        ours = await self.source.experiments()
        theirs = await self.target.experiments()
        for experiment in self._compare("experiment", ours, theirs):
            self.told(f"experiment {experiment}")
            await self._experiment(experiment)
        self.told("registered models")
        await self._sort("registered model", Reader.registered_models)
        await self._sort("model version", Reader.model_versions)
        # One after the other: which of the target's are meant is known by the source's names alone.
        await self._sort("webhook", Reader.webhooks, in_turn=True)
        await self._sort("evaluation dataset", Reader.evaluation_datasets)
        if self.source.shows_all and self.target.shows_all:
            for kind in ONLY_IN_WHOLE_COPIES:
                await self._sort(kind, partial(Reader.only_in_whole_copies, kind=kind))
        return [] if self.workspace else await self._workspaces()

    async def _workspaces(self) -> list[str]:
        ours, theirs = await _both(self.source.workspaces, self.target.workspaces)
        if not (self.source.shows_all and self.target.shows_all):
            others = sorted(ours.keys() - {DEFAULT})
            self.result.unread += [f"workspace {each} of {self.source.server.name}" for each in others]
            return []
        if DEFAULT not in ours or DEFAULT not in theirs:
            # Only a server with workspaces shows that there is one.
            ours.pop(DEFAULT, None)
            theirs.pop(DEFAULT, None)
        if not ours and not theirs:
            return []
        return [each for each in self._compare("workspace", ours, theirs) if each != DEFAULT]

    def _compare(self, what: str, ours: Mapping[str, T], theirs: Mapping[str, T]) -> list[str]:
        """Compare things by id; those of a workspace are named with it, since names are free in each."""
        mark = f"{self.workspace}: " if self.workspace else ""
        named = [{mark + name: each for name, each in side.items()} for side in (ours, theirs)]
        return [name.removeprefix(mark) for name in self.result.compare(what, *named)]

    async def _experiment(self, experiment: str) -> None:
        (ours, our_metrics), (theirs, their_metrics) = await _both(
            lambda: self.source.runs(experiment), lambda: self.target.runs(experiment)
        )
        runs = self._compare("run", ours, theirs)
        await self._histories(runs, our_metrics, their_metrics)
        models = await self._sort("logged model", lambda side: side.logged_models(experiment), experiment)
        if await self._sort("trace", lambda side: side.traces(experiment), experiment):
            links = lambda side: side.trace_links(experiment, runs)  # noqa: E731
            await self._sort("link of a trace to a run", links, experiment)
        await self._sort("scorer", lambda side: side.scorers(experiment), experiment)
        if self.source.shows_all and self.target.shows_all:
            await self._sort("review queue", lambda side: side.review_queues(experiment), experiment)
            await self._label_schemas(experiment)
        if self.artifacts:
            owners = [Owner("run", each) for each in runs] + [Owner("logged model", each) for each in models]
            await self._artifacts(owners)

    async def _label_schemas(self, experiment: str) -> None:
        try:
            ours, theirs = await self.source.label_schemas(self.target, experiment)
        except CredentialError:
            raise
        except HeavyliftError as error:
            self.result.unreadable("label schema", f"those of experiment {experiment}: HL-{error.code}")
            return
        if ours or theirs:
            self._compare("label schema", ours, theirs)

    async def _sort(
        self,
        what: str,
        read: Callable[[Reader], Awaitable[Things]],
        experiment: str = "",
        *,
        in_turn: bool = False,
    ) -> list[str]:
        """Compare one sort of things.

        What neither server has an interface for is noted as unread; what cannot be read is a difference.
        """
        if in_turn:
            ours, theirs = await _or_error(read(self.source)), await _or_error(read(self.target))
        else:
            ours, theirs = await asyncio.gather(_or_error(read(self.source)), _or_error(read(self.target)))
        if isinstance(ours, dict) and isinstance(theirs, dict):
            if not ours and not theirs and what in {*ONLY_IN_WHOLE_COPIES, "review queue"}:
                # Few have them: a record does not tell of what nobody has.
                return []
            return self._compare(what, ours, theirs)
        place = f"{what}s of experiment {experiment}" if experiment else f"all {what}s"
        if isinstance(ours, PermanentError) and isinstance(theirs, PermanentError):
            self.result.unread.append(place)
            return []
        if isinstance(ours, NotFoundError) and isinstance(theirs, dict) and not self.source.shows_all:
            # An older source has no such things: so the target must have none that came from there.
            self.result.unread.append(f"{place} on {self.source.server.name}, which has no such route")
            return self._compare(what, {}, theirs)
        for server, found in ((self.source.server, ours), (self.target.server, theirs)):
            if isinstance(found, HeavyliftError):
                self.result.unreadable(what, f"{place} on {server.name}: HL-{found.code}")
        return []

    async def _histories(
        self, runs: Iterable[str], ours: Mapping[str, tuple[str, ...]], theirs: Mapping[str, tuple[str, ...]]
    ) -> None:
        names = list(runs)
        left, right = await _both(
            lambda: _read(self.source, {name: ours[name] for name in names}),
            lambda: _read(self.target, {name: theirs[name] for name in names}),
        )
        self.result.points += sum(points for points, _ in left.values())
        self._compare("metric history", left, right)

    async def _files(self, side: Reader, owner: Owner) -> dict[str, str]:
        return await artifact_digests(side.server, _owner(side, owner), contents=self.contents)

    async def _artifacts(self, owners: Iterable[Owner]) -> None:
        limit = asyncio.Semaphore(self.at_once)

        async def one(owner: Owner) -> None:
            async with limit:
                ours, theirs = await _both(
                    lambda: self._files(self.source, owner), lambda: self._files(self.target, owner)
                )
            prefix = f"{owner.kind} {owner.id}: "
            self._compare(
                "artifact",
                {prefix + path: digest for path, digest in ours.items()},
                {prefix + path: digest for path, digest in theirs.items()},
            )

        await asyncio.gather(*(one(owner) for owner in owners))


async def _read(side: Reader, metrics: Mapping[str, tuple[str, ...]]) -> dict[str, History]:
    shown = {side.actual("run", run): run for run in metrics}
    asked = {actual: metrics[run] for actual, run in shown.items()}
    histories = Histories(side.server).of(asked)
    return {f"{shown[actual]}/{name}": history async for actual, name, history in histories}


def _owner(side: Reader, owner: Owner) -> Owner:
    return Owner(owner.kind, side.actual(owner.kind, owner.id))


async def _both(source: Callable[[], Awaitable[T]], target: Callable[[], Awaitable[T]]) -> tuple[T, T]:
    ours, theirs = await asyncio.gather(source(), target())
    return ours, theirs


async def _or_error(reading: Awaitable[Things]) -> Things | HeavyliftError:
    """Return what was read, or why it was not; credentials that are refused end the comparison."""
    try:
        return await reading
    except CredentialError:
        raise
    except HeavyliftError as error:
        return error
