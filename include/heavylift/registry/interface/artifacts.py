"""Artifacts of runs and logged models: from store to store where that may be, else through the servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from heavylift.errors import CredentialError, HeavyliftError, PermanentError, TransientError, UnsupportedError
from heavylift.locations import SCHEMES, Location, parse_location
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.wiring import open_store
from heavylift.registry.interface.copying import copy_object
from heavylift.registry.interface.server import again
from heavylift.registry.interface.spooled import spooled
from heavylift.registry.rest.artifacts import PROXY, Owner, artifact_files, folder_behind, handed_out

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.platforms.ports import ListedObject, ObjectStore
    from heavylift.registry.interface.context import Context
    from heavylift.registry.rest.client import TrackingServer

SORT = "artifacts"
_MOST_BY_RUN = 10 * 2**20
_STORES = frozenset(SCHEMES) - {"file"}

Asked = tuple[str, dict[str, str]]
"""Path and query of the request for a file."""


@dataclass(frozen=True)
class Place:
    """Where the artifacts of one run or logged model lie on both sides.

    :param source: URI without a slash at its end; so is ``target``, which is empty where it is only planned.
    """

    owner: Owner
    target_owner: Owner
    source: str
    target: str
    fresh: bool


@dataclass
class Artifacts:
    """How the artifacts of a move travel.

    :param source: the object store's connection on the source; the same for ``target``.
    :param silent: roots that the source's server cannot list, each of which is asked for once.
    :param looked_at: places whose files were looked at through the servers.
    :param hands_out: the source's server hands out what lies below its own root, for all that is known.
    """

    context: Context
    source: Connection | None = None
    target: Connection | None = None
    places: dict[str, Place] = field(default_factory=dict)
    silent: dict[str, TransientError] = field(default_factory=dict)
    looked_at: set[str] = field(default_factory=set)
    hands_out: bool = True

    def add(self, place: Place) -> None:
        """Note an owner's places."""
        if place.source:
            self.places[place.source] = place

    def by_stores(self, place: Place) -> bool:
        """Tell whether a place is copied from store to store."""
        if self.source is None and self.target is None:
            return False
        ends = (place.source, place.target) if place.target else (place.source,)
        return all(end.partition("://")[0] in _STORES for end in ends)

    @property
    def not_looked_at(self) -> int:
        """How many owners' files nobody has looked at."""
        return sum(not self.by_stores(each) for each in self.places.values()) - len(self.looked_at)

    async def through_servers(self, place: Place) -> None:
        """Copy one owner's files through both servers, unless they go from store to store.

        Done before the owner is noted as finished, so that a killed run is found to have left some out.
        """
        if self.by_stores(place):
            return
        self.looked_at.add(place.source)
        context = self.context
        there = {} if place.fresh else await _sizes(context.target, place.target_owner)
        async for path, size, asked in self._listed(place):
            context.tally.found(SORT)
            name = f"{place.owner.kind} {place.owner.id}: {path}"
            act = partial(self._send, place, path, size, asked, there.get(path))
            await context.guarded(SORT, name, act)

    async def _listed(self, place: Place) -> AsyncIterator[tuple[str, int, Asked]]:
        """Yield an owner's files; note a root behind the server that answers nothing, and go on with others.

        Old runs name stores that have gone. A server that is itself away ends the run with its next answer.
        """
        root = root_of(place.source)
        silent: HeavyliftError | None = self.silent.get(root)
        if silent is None:
            try:
                async for found in self._files(place):
                    yield found
            except CredentialError:
                raise
            except TransientError as error:
                self.silent[root] = silent = error
            except PermanentError as error:
                silent = error
            else:
                return
        self.context.tally.failed(
            SORT,
            f"{place.owner.kind} {place.owner.id}",
            f"the source's server cannot list {root}: {silent.got}",
            f"HL-{silent.code}",
        )

    async def _files(self, place: Place) -> AsyncIterator[tuple[str, int, Asked]]:
        """Yield an owner's files, and what is asked for each.

        By the owner's id the server reads the whole run from its database for every file, so a folder of its
        own root is asked for by its path; where that is not granted, by the id all the same.
        """
        source, folder = self.context.source, folder_behind(place.source)
        if folder is not None and self.hands_out:
            try:
                found = [each async for each in handed_out(source, folder)]
            except CredentialError:
                found = None
            except PermanentError:
                self.hands_out, found = False, None
            if found is not None:
                for path, size in found:
                    yield path, size, (f"{PROXY}/{quote(f'{folder}/{path}')}", {})
                return
        async for path, size in artifact_files(source, place.owner):
            yield path, size, place.owner.file(path)

    async def _send(self, place: Place, path: str, size: int, asked: Asked, known: int | None) -> None:
        context = self.context
        # A checkpoint that is written over and over keeps its size, and no listing tells a file's time.
        if known == size and await self._same(place, path, asked):
            return
        if context.target.writes:
            route, query = route_for(place, path, size)
            async with spooled(context.source, *asked) as file:
                method = "PUT" if route.startswith(PROXY) else "POST"
                await context.target.upload_from(method, route, query, file)
        (context.tally.created if known is None else context.tally.changed)(SORT)

    async def _same(self, place: Place, path: str, asked: Asked) -> bool:
        """Tell whether a file that both sides have holds the same bytes."""
        folder = folder_behind(place.target)
        there = (
            place.target_owner.file(path)
            if folder is None
            else (f"{PROXY}/{quote(f'{folder}/{path}')}", dict[str, str]())
        )
        target = self.context.target
        return await self.context.source.digest(*asked) == await again(lambda: target.digest(*there))

    async def from_store_to_store(self) -> None:
        """Copy what is missing below every root, each of which is listed once."""
        roots: dict[tuple[str, str], list[Place]] = {}
        for place in self.places.values():
            if self.by_stores(place):
                roots.setdefault((root_of(place.source), root_of(place.target)), []).append(place)
        for number, ((source, target), places) in enumerate(roots.items()):
            self.context.tell(f"artifacts below {source}", number, len(roots))
            # A bucket that old runs name may be gone; those below the others arrive.
            await self.context.guarded(SORT, source, partial(self._root, source, target, places))

    async def _root(self, source: str, target: str, places: list[Place]) -> None:
        async with self._stores(source, target) as (ours, theirs):
            await self._below(ours, theirs, places)

    @asynccontextmanager
    async def _stores(
        self, source: str, target: str
    ) -> AsyncIterator[tuple[ObjectStore, ObjectStore | None]]:
        settings = HttpSettings(connections=self.context.parallel)
        async with AsyncExitStack() as stack:
            ours = await stack.enter_async_context(open_store(_at(source), self.source, settings=settings))
            theirs = None
            if target:
                opened = open_store(_at(target), self.target, settings=settings)
                theirs = await stack.enter_async_context(opened)
            yield ours, theirs

    async def _below(self, ours: ObjectStore, theirs: ObjectStore | None, places: list[Place]) -> None:
        context = self.context
        keys = {_key(place.source): place for place in places}
        there: dict[str, ListedObject] = {}
        if theirs is not None:
            prefix = _key(root_of(places[0].target))
            async for page in theirs.list_pages(prefix + "/" if prefix else ""):
                there |= {each.key: each for each in page}
        root = _key(root_of(places[0].source))
        async for page in ours.list_pages(root + "/" if root else ""):
            due = []
            for each in page:
                found = owner_of(each.key, keys)
                if found is None and each.key.endswith(("/artifacts/traces.json", "/")):
                    # The spans of a trace, which come with it; or the mark of a folder.
                    continue
                if found is None:
                    context.tally.lose(
                        "artifact",
                        "files of no run and no logged model that moved",
                        "of traces, of deleted models, or of nobody",
                        each.key,
                    )
                    continue
                context.tally.found(SORT)
                target_key = f"{_key(found[1].target)}/{found[0]}" if found[1].target else ""
                known = there.get(target_key)
                if (
                    known is None
                    or known.size_bytes != each.size_bytes
                    or (known.modified_us < each.modified_us and not _are_equal(known, each))
                ):
                    due.append((each, target_key, known))
            await context.each(SORT, due, lambda job: self._copy(ours, theirs, *job), lambda job: job[0].key)

    async def _copy(
        self,
        ours: ObjectStore,
        theirs: ObjectStore | None,
        each: ListedObject,
        key: str,
        known: ListedObject | None,
    ) -> None:
        if self.context.target.writes and theirs is not None:
            self.context.target.sent["artifact"] += 1
            await copy_object(ours, theirs, each, key, replaces=known is not None)
        (self.context.tally.created if known is None else self.context.tally.changed)(SORT)


def _are_equal(one: ListedObject, other: ListedObject) -> bool:
    """Tell whether listings prove two objects equal: what came from there is newer here, and no other."""
    both = one.checksums.keys() & other.checksums.keys()
    return bool(both) and all(one.checksums[each] == other.checksums[each] for each in both)


def owner_of(key: str, places: Mapping[str, Place]) -> tuple[str, Place] | None:
    """Return a key's path within its owner's place, and the place."""
    head = key
    while head:
        rest = key[len(head) + 1 :]
        if head in places and rest:
            return rest, places[head]
        head = head.rpartition("/")[0]
    return None


def root_of(place: str) -> str:
    """Return the experiment's place: above ``<run>/artifacts`` or ``models/<id>/artifacts``.

    A place that somebody has set by hand ends otherwise, and is a root by itself.
    """
    above = place.removesuffix("/artifacts").rpartition("/")[0]
    if not place.endswith("/artifacts") or above.endswith(("/", ":")):
        return place
    return above.removesuffix("/models")


def _at(uri: str) -> Location:
    return parse_location(uri)


def _key(uri: str) -> str:
    """Return the key, without a slash at its end, that a URI of an object store names."""
    return uri.partition("://")[2].partition("/")[2].rstrip("/")


def route_for(place: Place, path: str, size: int) -> tuple[str, dict[str, str]]:
    """Return the route that takes a file, and its query.

    :raises UnsupportedError: the target has none.
    """
    parts = urlsplit(place.target)
    if parts.scheme == "mlflow-artifacts":
        return f"{PROXY}/{parts.path.strip('/')}/{path}", {}
    if place.owner.kind == "run" and 0 < size <= _MOST_BY_RUN:
        return "ajax-api/2.0/mlflow/upload-artifact", {"run_uuid": place.target_owner.id, "path": path}
    raise UnsupportedError(
        f"copying artifact {path!r} of {place.owner.kind} {place.owner.id} through the target's server",
        got=f"{size:,} bytes below {place.target}",
        expected="a root that the server serves itself, or a run's file of 1 byte to 10 MB",
        state="this file was not moved",
        remedy="name the object stores' connections: --source-artifacts-conn and --target-artifacts-conn",
        code="7167",
    )


async def _sizes(server: TrackingServer, owner: Owner) -> dict[str, int]:
    return {path: size async for path, size in artifact_files(server, owner)}
