"""Proves a registry's move: by both servers' public interface, and a second time by both databases."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from heavylift.evidence.registry_records import (
    RegistryTableProof,
    RegistryVerificationRecord,
    counted_things,
)
from heavylift.evidence.wording import differ
from heavylift.platforms.postgresql.faults import told_as
from heavylift.registry.paths import choose_path, stores_of
from heavylift.registry.rest.client import TrackingServer, server_url
from heavylift.registry.rest.comparing import Comparison, Result
from heavylift.registry.rest.reading import Reader
from heavylift.registry.rest.returning import Marks, look_both_ways
from heavylift.registry.rest.translating import SourceView, TargetView
from heavylift.registry.selection import selected_of
from heavylift.registry.store.moment import moment_of
from heavylift.registry.store.proving import table_proofs
from heavylift.registry.uris import UriMap
from heavylift.registry.work import RegistryProgress, Work
from heavylift.spec.sections_data import RegistryKind, RegistryPath

if TYPE_CHECKING:
    from heavylift.registry.requests import RegistryPlace, RegistryRequest
    from heavylift.registry.settling import Judgement

ResultT = TypeVar("ResultT", bound=Result)


async def compare_servers(request: RegistryRequest, work: Work, found: ResultT) -> ResultT:
    """Read both servers through their public interface and compare them field by field.

    Nothing of the mover's is used or believed: not its state, not its counts, not the databases.

    :param found: takes what is found, and is returned.
    :raises HeavyliftError: a server cannot be read; nothing was concluded.
    """
    for workspace in await _compare(request, work, found):
        await _compare(request, work, found, workspace)
    return found


async def _compare(request: RegistryRequest, work: Work, found: Result, workspace: str = "") -> list[str]:
    """Compare one workspace; return those that are still to be compared."""
    options = request.options
    source, target = (
        TrackingServer(side.connection, options.parallel, workspace=workspace)
        for side in (request.source, request.target)
    )
    try:
        source.selected = selected_of(options.selection)
        ours, theirs = await _sides(request, source, target)
        return await Comparison(
            source=ours,
            target=theirs,
            artifacts=options.artifacts,
            at_once=options.parallel,
            told=lambda doing: work.tell(RegistryProgress(doing=f"comparing {doing}")),
            result=found,
            workspace=workspace,
            contents=options.contents,
        ).run()
    finally:
        await source.close()
        await target.close()


async def _sides(
    request: RegistryRequest, source: TrackingServer, target: TrackingServer
) -> tuple[Reader, Reader]:
    """Return how both sides are read: as they are, or where ids were given anew by what the tags tell."""
    options = request.options
    files = options.artifacts
    as_they_are = Reader(source, options.uris, files=files), Reader(target, None, files=files)
    if options.path is RegistryPath.STORE or choose_path(request).path == "store":
        return as_they_are
    ours = SourceView()
    back = UriMap(tuple((new, old) for old, new in options.uris.pairs))
    theirs = TargetView(request.id, ours, back, selected=source.selected)
    marks = Marks(request.id, request.id_of_other_way)
    await look_both_ways(source, target, marks, back=request.is_back)
    await theirs.learn(target)
    if options.path is RegistryPath.AUTO and not theirs.origins:
        # Nothing came through the interface: it was copied by databases that are not named here.
        return as_they_are
    return Reader(source, None, ours, files=files), Reader(target, None, theirs, files=files)


def _address(place: RegistryPlace) -> str:
    if place.kind is RegistryKind.MLFLOW:
        return server_url(place.connection)
    return f"{place.kind.value} ({place.connection.conn_id})"


def compare_stores(request: RegistryRequest) -> tuple[RegistryTableProof, ...]:
    """Return the digests of every table on both sides, each side at one moment."""
    source, _ = stores_of(request)
    with (
        told_as(f"comparing the stores of registry {request.registry!r}", "nothing was changed"),
        moment_of(source) as moment,
    ):
        return table_proofs(request, moment)


def verification(
    request: RegistryRequest,
    found: Judgement,
    tables: tuple[RegistryTableProof, ...],
    began: float,
    *,
    live: bool = False,
) -> RegistryVerificationRecord:
    """Return the record of a comparison; it passes only if nothing at all speaks against it."""
    compared = found.compared()
    unequal = [proof.table for proof in tables if not proof.equal]
    passed = not found.difference_count and not unequal and any(each.source for each in compared)
    things = ", ".join(counted_things(each.source, each.what) for each in compared if each.source)
    statement = (
        f"read through the public interface of both servers: {things}; {found.points:,} points of metrics;"
        f" {differ(found.difference_count, 'thing')}"
    )
    for name, words in (
        ("newer", "changed on the source meanwhile"),
        ("kept", "have gone and are kept"),
        ("without place", "have no place on the target, a listed loss"),
    ):
        if number := found.total(name):
            statement += f", {number:,} {words}"
    if request.options.artifacts and not request.options.contents:
        statement += "; artifacts by names and sizes alone"
    if tables:
        statement += f"; {len(tables) - len(unequal)} of {len(tables)} tables have equal digests"
        statement += f" (not {', '.join(unequal)})" if unequal else ""
    return RegistryVerificationRecord(
        run=request.run,
        registry=request.registry,
        source=_address(request.source),
        target=_address(request.target),
        compared=compared,
        differences=tuple(found.differences),
        difference_count=found.difference_count,
        tables=tables,
        unread=tuple(found.unread),
        artifacts_compared=request.options.artifacts,
        contents_compared=request.options.artifacts and request.options.contents,
        live=live,
        statement=statement,
        passed=passed,
        seconds=time.monotonic() - began,
    )
