"""Whether what stands on the target is enough, by what its control planes tell: instances and connections."""

from __future__ import annotations

from heavylift.cutover.ports import CountsConnections, CountsReplicas, DatabasePort, Side, TrafficPort
from heavylift.errors import HeavyliftError
from heavylift.evidence.switch_records import ReadinessItem


async def replicas_item(port: TrafficPort | None) -> ReadinessItem | None:
    """Return whether all instances behind the target are ready; None where nothing counts them."""
    if not isinstance(port, CountsReplicas):
        return None
    try:
        target, source = await port.replicas(Side.TARGET), await port.replicas(Side.SOURCE)
    except HeavyliftError as error:
        return ReadinessItem(item="replicas", subject="requests", passed=False, detail=str(error))
    if target is None:
        return None
    beside = f"; the source has {source.ready}" if source is not None else ""
    return ReadinessItem(
        item="replicas",
        subject="requests",
        passed=0 < target.wanted <= target.ready,
        detail=f"{target.ready} of {target.wanted} {target.what} of the target are ready{beside}",
    )


async def connections_item(database: DatabasePort) -> ReadinessItem | None:
    """Return whether the target takes as many connections as the source has; None where nobody can tell."""
    if not isinstance(database, CountsConnections):
        return None
    try:
        source, target = await database.connections(Side.SOURCE), await database.connections(Side.TARGET)
    except HeavyliftError as error:
        return ReadinessItem(item="connections", subject=database.name, passed=False, detail=str(error))
    if source is None or target is None:
        return None
    free = "any number" if target.free is None else str(target.free)
    return ReadinessItem(
        item="connections",
        subject=database.name,
        passed=target.free is None or target.free >= source.in_use,
        detail=f"the source has {source.in_use} in use, the target takes {free} more",
    )
