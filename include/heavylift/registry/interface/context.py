"""What the parts of a move share: both servers, the maps of ids, and what was found, done and lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from heavylift.errors import CredentialError, HeavyliftError, NoRoomError, PermanentError, TransientError
from heavylift.evidence.registry_records import MAX_NAMED, RegistryFailure, RegistryLoss
from heavylift.registry.interface.merging import Merge, Policy
from heavylift.registry.interface.names import Provenance
from heavylift.registry.interface.server import WritingServer
from heavylift.registry.rest.client import TrackingServer
from heavylift.registry.uris import UriMap
from heavylift.registry.work import RegistryProgress, Work

if TYPE_CHECKING:
    from heavylift.registry.interface.artifacts import Artifacts

T = TypeVar("T")
_EXAMPLES = 5
RUNS_KEPT = 1000
"""Runs of the source that are kept from their making to their filling; beyond, they are read again."""
_CREATED, _CHANGED, _DELETED, _KEPT, _FOUND = "created", "changed", "deleted", "kept", "found"


@dataclass
class Maps:
    """Which thing of the source is which on the target.

    :param places: artifact places of runs and logged models, source to target, none with a slash at its end.
    :param model_places: artifact places of logged models on the source, to the model's id on the target.
    """

    experiments: dict[str, str] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    model_places: dict[str, str] = field(default_factory=dict)
    datasets: dict[str, str] = field(default_factory=dict)


@dataclass
class Tally:
    """What became of each sort of things; what is lost and what failed is named."""

    sorts: dict[str, Counter[str]] = field(default_factory=dict)
    touched: dict[str, set[str]] = field(default_factory=dict)
    lost: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    lost_counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    failures: list[RegistryFailure] = field(default_factory=list)
    failure_count: int = 0
    conflicts: int = 0
    fallbacks: set[str] = field(default_factory=set)

    def found(self, sort: str, count: int = 1) -> None:
        """Count things of the source."""
        self._of(sort)[_FOUND] += count

    def created(self, sort: str, count: int = 1) -> None:
        """Count things that were made."""
        self._of(sort)[_CREATED] += count

    def changed(self, sort: str, count: int = 1) -> None:
        """Count things that were brought up to date."""
        self._of(sort)[_CHANGED] += count

    def deleted(self, sort: str, count: int = 1) -> None:
        """Count things that were taken away, because they have gone from the source."""
        self._of(sort)[_DELETED] += count

    def kept(self, sort: str, count: int = 1) -> None:
        """Count things that have gone from the source and stay."""
        self._of(sort)[_KEPT] += count

    def merged(self, sort: str, name: str, merge: Merge, *, changes: bool = True) -> None:
        """Take in what a merge of one thing's fields has found."""
        if merge and changes:
            self.changed(sort)
        if merge.kept:
            self.kept(f"fields of {sort}", len(merge.kept))
        for key in merge.conflicts:
            shown = key.removeprefix("\0")
            self.conflict(sort, name, f"field {shown!r} was changed on the target by somebody else")

    def conflict(self, sort: str, name: str, reason: str) -> None:
        """Note something that stays as somebody else has made it."""
        self.conflicts += 1
        self.failed(sort, name, reason, "")

    def failed(self, sort: str, name: str, reason: str, code: str) -> None:
        """Note something that was not moved."""
        self.failure_count += 1
        if len(self.failures) < MAX_NAMED:
            self.failures.append(RegistryFailure(what=sort, id=name, reason=reason, code=code))

    def lose(self, what: str, item: str, reason: str, example: str = "", count: int = 1) -> None:
        """Note what cannot arrive."""
        key = (what, item, reason)
        self.lost_counts[key] += count
        examples = self.lost.setdefault(key, [])
        if example and len(examples) < _EXAMPLES:
            examples.append(example)

    def losses(self) -> tuple[RegistryLoss, ...]:
        """Return what cannot arrive, each sort of it once."""
        return tuple(
            RegistryLoss(
                what=what,
                item=item,
                reason=reason,
                count=self.lost_counts[what, item, reason],
                examples=tuple(examples),
            )
            for (what, item, reason), examples in self.lost.items()
        )

    def count(self, name: str) -> int:
        """Return the sum of one count over all sorts; of ``fields of …`` only where those are counted."""
        return sum(counter[name] for counter in self.sorts.values())

    def take(self, other: Tally) -> None:
        """Take in the counts of another one's sorts."""
        for sort, counts in other.sorts.items():
            self._of(sort).update(counts)

    def _of(self, sort: str) -> Counter[str]:
        return self.sorts.setdefault(sort, Counter())


@dataclass
class Context:
    """One run of a move.

    :param full: look at every history again, also of runs that are settled.
    :param histories: read histories at all; a look ahead can do without.
    :param artifacts: how artifacts travel; None leaves them alone.
    :param room: how many more runs may be kept as they were read.
    :param links_looked_at: of how many runs at rest the links of traces were looked at.
    :param links_not_looked_at: of how many they were not.
    :param both_ways: things have gone the other way before.
    """

    source: TrackingServer
    target: WritingServer
    provenance: Provenance
    policy: Policy
    uris: UriMap
    map_names: bool
    parallel: int
    work: Work
    full: bool
    histories: bool = True
    artifacts: Artifacts | None = None
    maps: Maps = field(default_factory=Maps)
    tally: Tally = field(default_factory=Tally)
    room: int = RUNS_KEPT
    links_looked_at: int = 0
    links_not_looked_at: int = 0
    both_ways: bool = False

    def origins(self, of: Mapping[str, str]) -> dict[str, str]:
        """Return one of the maps from target to source, where notes may tell of values in either's terms."""
        return {target: source for source, target in of.items()} if self.both_ways else {}

    def tell(self, doing: str, done: int = 0, total: int = 0) -> None:
        """Tell how far the run is, and stop it where that is asked for.

        :raises TransientError: it was asked to stop.
        """
        self.work.tell(RegistryProgress(doing=doing, tables_done=done, tables=total))
        if self.work.stop.is_set():
            raise TransientError(
                "moving a registry through its interface",
                got="a request to stop",
                state="what was written stays; another run goes on from there",
                remedy="run the same command again",
                code="7160",
            )

    async def each(
        self,
        sort: str,
        items: Iterable[T],
        act: Callable[[T], Awaitable[None]],
        name: Callable[[T], str],
        at_once: int = 0,
    ) -> None:
        """Do something with each of some things, several at once.

        What the server refuses for one thing is noted, and the others go on; what concerns all of them, or
        may go away by itself, ends the run.

        :param at_once: how many; as many as requests where it is 0.
        """
        await each_of(self.tally, sort, items, act, name, at_once or self.parallel)

    async def guarded(self, sort: str, name: str, act: Callable[[], Awaitable[None]]) -> None:
        """Do one thing; note that it was refused."""
        await guarded(self.tally, sort, name, act)


async def each_of(
    tally: Tally,
    sort: str,
    items: Iterable[T],
    act: Callable[[T], Awaitable[None]],
    name: Callable[[T], str],
    at_once: int,
) -> None:
    """Do something with each of some things, several at once; what is refused is noted."""
    listed = list(items)
    waiting = iter(listed)

    async def worker() -> None:
        for item in waiting:
            await guarded(tally, sort, name(item), partial(act, item))

    await gather(worker() for _ in range(min(at_once, len(listed))))


async def guarded(tally: Tally, sort: str, name: str, act: Callable[[], Awaitable[None]]) -> None:
    """Do one thing; note that it was refused, unless that concerns everything."""
    try:
        await act()
    except (CredentialError, NoRoomError):
        raise
    except PermanentError as error:
        tally.failed(sort, name, f"{error.what}: {error.got}", f"HL-{error.code}")


async def gather(works: Iterable[Awaitable[None]]) -> None:
    """Await all; when one fails the others are ended first, and its error comes out."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def optional(reading: AsyncIterable[T], tally: Tally, route: str) -> list[T]:
    """Return all that a route yields; nothing, and a note, where the server has no such route."""
    try:
        return [each async for each in reading]
    except HeavyliftError as error:
        if isinstance(error, (CredentialError, TransientError)):
            raise
        tally.fallbacks.add(f"{route}: the server has no such route, or refuses it (HL-{error.code})")
        return []
