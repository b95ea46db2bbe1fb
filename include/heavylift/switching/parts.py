"""From a spec to everything that its switch moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from heavylift.cutover.ports import DatabasePort, TrafficPort
from heavylift.cutover.schedules.opening import open_schedule
from heavylift.cutover.traffic.opening import open_traffic
from heavylift.cutover.world import Parts
from heavylift.errors import SpecError
from heavylift.registry.requests import registry_request
from heavylift.spec.registry_phase import switched_registries
from heavylift.streams.requests import stream_request
from heavylift.switching.databases import TablesDatabase
from heavylift.switching.registries import SwitchedRegistry
from heavylift.switching.streams import SwitchedStream, silent
from heavylift.tables.requests import tables_request

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.evidence.records import RunKey
    from heavylift.spec.model import MigrationSpec
    from heavylift.spec.sections_platform import Cutover, Route

Connections = Callable[[str], "Connection"]
"""From a connection's id to the connection."""


@asynccontextmanager
async def open_parts(
    spec: MigrationSpec, run: RunKey, connections: Connections, tell: Callable[[str], None] = silent
) -> AsyncIterator[Parts]:
    """Open everything that the spec's switch moves, for the block.

    :param tell: is told what else there is to know, such as what became of consumer groups.

    :raises SpecError: the spec has no section cutover.
    :raises ConnectionConfigError: a connection is missing or lacks a field.
    """
    cutover = cutover_of(spec)
    databases: list[DatabasePort] = [
        TablesDatabase(tables_request(spec, database.name, run, connections)) for database in spec.databases
    ]
    # What producers write is switched as what applications write to a database: one logic for both.
    names = {stream.name for stream in spec.streams}
    databases += [
        SwitchedStream(stream_request(spec, each.stream, run, connections), tell)
        for each in cutover.streams
        if each.stream in names
    ]
    databases += [
        SwitchedRegistry(registry_request(spec, each.name, run, connections))
        for each in switched_registries(spec)
    ]
    async with AsyncExitStack() as stack:
        requests = await _open(stack, spec, cutover.traffic, connections)
        writers = await _open(stack, spec, cutover.writers, connections)
        schedules = [await open_schedule(stack, each, connections) for each in cutover.schedules]
        yield Parts(databases, requests, writers, schedules)


def cutover_of(spec: MigrationSpec) -> Cutover:
    """Return the section cutover.

    :raises SpecError: there is none.
    """
    if spec.cutover is not None:
        return spec.cutover
    raise SpecError(
        f"switching {spec.migration}",
        got="a spec without a section cutover",
        expected="one that names who answers for the switch, and what is switched",
        state="nothing was touched",
        remedy="add the section, see docs/reference/cutover.md",
        code="8709",
    )


async def _open(
    stack: AsyncExitStack, spec: MigrationSpec, route: Route | None, connections: Connections
) -> TrafficPort | None:
    if route is None:
        return None
    opened = open_traffic(
        route.adapter,
        connections(route.connection),
        source=spec.source.platform,
        target=spec.target.platform,
    )
    return await stack.enter_async_context(opened)
