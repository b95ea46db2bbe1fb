"""Proves a registry's move: by both servers' public interface, and a second time by both databases."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from heavylift.evidence.registry_records import RegistryTableProof, RegistryVerificationRecord
from heavylift.platforms.postgresql.connect import connect, where
from heavylift.platforms.postgresql.faults import told_as
from heavylift.registry.rest.client import TrackingServer, server_url
from heavylift.registry.rest.comparing import Comparison, Result
from heavylift.registry.rest.reading import Reader
from heavylift.registry.store.catalog import read_catalog
from heavylift.registry.store.digests import table_digest
from heavylift.registry.store.loading import Sides
from heavylift.registry.store.moment import moment_of
from heavylift.registry.work import RegistryProgress, Work

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.registry.requests import RegistryRequest


async def compare_servers(request: RegistryRequest, work: Work) -> Result:
    """Read both servers through their public interface and compare them field by field.

    Nothing of the mover's is used or believed: not its state, not its counts, not the databases.

    :raises HeavyliftError: a server cannot be read; nothing was concluded.
    """
    options = request.options
    source = TrackingServer(request.source.connection, options.parallel)
    target = TrackingServer(request.target.connection, options.parallel)
    try:
        comparison = Comparison(
            source=Reader(source, options.uris),
            target=Reader(target, None),
            artifacts=options.artifacts,
            at_once=options.parallel,
            told=lambda doing: work.tell(RegistryProgress(doing=f"comparing {doing}")),
        )
        return await comparison.run()
    finally:
        await source.close()
        await target.close()


def compare_stores(
    request: RegistryRequest, source: Connection, target: Connection
) -> tuple[RegistryTableProof, ...]:
    """Return the digests of every table on both sides, each side at one moment."""
    proofs = []
    with (
        told_as(f"comparing the stores of registry {request.registry!r}", "nothing was changed"),
        moment_of(source) as ours,
        closing(connect(target, "registry verify")) as theirs,
    ):
        theirs.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        sides = Sides(read_catalog(ours.session, where(source)), read_catalog(theirs, where(target)))
        for name, table in sides.source.tables.items():
            left = table_digest(ours.session, sides.source, table, request.options.uris)
            there = sides.target.tables.get(name)
            right = table_digest(theirs, sides.target, table) if there is not None else None
            proofs.append(
                RegistryTableProof(table=name, source=str(left), target=str(right), equal=left == right)
            )
    return tuple(proofs)


def verification(
    request: RegistryRequest, found: Result, tables: tuple[RegistryTableProof, ...], began: float
) -> RegistryVerificationRecord:
    """Return the record of a comparison; it passes only if nothing at all speaks against it."""
    compared = found.compared()
    unequal = [proof.table for proof in tables if not proof.equal]
    passed = not found.difference_count and not unequal and any(each.source for each in compared)
    things = ", ".join(f"{each.source:,} {each.what}s" for each in compared if each.source)
    statement = (
        f"read through the public interface of both servers: {things}; {found.points:,} points of metrics;"
        f" {found.difference_count:,} differ"
    )
    if tables:
        statement += f"; {len(tables) - len(unequal)} of {len(tables)} tables have equal digests"
        statement += f" (not {', '.join(unequal)})" if unequal else ""
    return RegistryVerificationRecord(
        run=request.run,
        registry=request.registry,
        source=server_url(request.source.connection),
        target=server_url(request.target.connection),
        compared=compared,
        differences=tuple(found.differences),
        difference_count=found.difference_count,
        tables=tables,
        unread=tuple(found.unread),
        artifacts_compared=request.options.artifacts,
        statement=statement,
        passed=passed,
        seconds=time.monotonic() - began,
    )
