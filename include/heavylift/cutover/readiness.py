"""Whether the world lets a workload be switched now: sides, lag, routes, and who answers for it."""

from __future__ import annotations

from heavylift.cutover.ports import DatabasePort, Side, TrafficPort, Writes
from heavylift.cutover.room import connections_item, replicas_item
from heavylift.cutover.schedules.ports import Schedule, look
from heavylift.cutover.world import Parts, of_each
from heavylift.errors import HeavyliftError
from heavylift.evidence.switch_records import ReadinessItem


async def look_at_world(parts: Parts, *, owner: str, max_lag: float) -> list[ReadinessItem]:
    """Return how databases and routes stand; carries over what the databases have, and changes nothing else.

    :param owner: who answers for the switch.
    :param max_lag: seconds that the target may be behind after that.
    """
    items = [
        ReadinessItem(
            item="owner",
            passed=bool(owner.strip()),
            detail=owner.strip() or "nobody answers for the switch: name cutover.runbook_owner",
        )
    ]

    async def look(database: DatabasePort) -> list[ReadinessItem]:
        return await _database(database, max_lag)

    for found in await of_each(parts.databases, look):
        items += found
    for name, port in (("requests", parts.requests), ("writers", parts.writers)):
        if port is not None:
            items.append(await _route(name, port))
    replicas = await replicas_item(parts.requests)
    items += [replicas] if replicas else []
    items += [await _schedule(each) for each in parts.schedules]
    return items


async def _database(database: DatabasePort, max_lag: float) -> list[ReadinessItem]:
    try:
        room = await connections_item(database)
        return [await _sides(database), await _lag(database, max_lag), *([room] if room else [])]
    except HeavyliftError as error:
        return [ReadinessItem(item="database", subject=database.name, passed=False, detail=str(error))]


async def _sides(database: DatabasePort) -> ReadinessItem:
    source, target = await database.writes(Side.SOURCE), await database.writes(Side.TARGET)
    taking = source.writes is Writes.OPEN and not source.partly
    unused = target.writes is Writes.FROZEN or target.opened is None
    cut_off = source.is_frozen and target.is_frozen and (target.opened or 0) <= (source.opened or 0)
    why = (
        "nobody can write: a switch was cut off; a rollback lets writes go on at the source"
        if cut_off
        else "the source takes no writes, or only some: was it switched before?"
    )
    reasons = [] if taking else [why]
    reasons += [] if unused else ["the target takes writes since an earlier switch"]
    return ReadinessItem(
        item="writes",
        subject=database.name,
        passed=not reasons,
        detail="; ".join(reasons) or "the source takes them, and the target is a copy",
    )


async def _lag(database: DatabasePort, max_lag: float) -> ReadinessItem:
    """Tell the lag twice, with a sync between: what does not fall then grows faster than it is carried."""
    if not await database.flows(Side.TARGET):
        return ReadinessItem(
            item="lag",
            subject=database.name,
            passed=False,
            detail="no stream of changes flows to the target",
        )
    before = await database.lag(Side.TARGET)
    await database.catch_up(Side.TARGET)
    after = await database.lag(Side.TARGET)
    if after is None:
        return ReadinessItem(item="lag", subject=database.name, passed=False, detail="nobody can tell it")
    falling = before is None or after <= max(before, max_lag)
    detail = f"{after:.1f} s after a sync" + (f", {before:.1f} s before it" if before is not None else "")
    return ReadinessItem(
        item="lag",
        subject=database.name,
        passed=after <= max_lag and falling,
        detail=detail if after <= max_lag else f"{detail}; at most {max_lag:g} s are accepted",
    )


async def _route(name: str, port: TrafficPort) -> ReadinessItem:
    try:
        split = await port.read()
    except HeavyliftError as error:
        return ReadinessItem(item="route", subject=name, passed=False, detail=str(error))
    return ReadinessItem(
        item="route",
        subject=name,
        passed=split.target_percent == 0,
        detail=f"{split.target_percent} % go to the target",
    )


async def _schedule(schedule: Schedule) -> ReadinessItem:
    try:
        seen = await look(schedule)
    except HeavyliftError as error:
        return ReadinessItem(item="schedule", subject=schedule.name, passed=False, detail=str(error))
    source, target = seen[Side.SOURCE], seen[Side.TARGET]
    reasons = [] if source.enabled else ["the source starts no runs: was it switched, or held by somebody?"]
    reasons += ["the target starts runs already: both would"] if target.enabled else []
    under_way = f"; {source.running} runs are under way, and go on" if source.running else ""
    return ReadinessItem(
        item="schedule",
        subject=schedule.name,
        passed=not reasons,
        detail="; ".join(reasons) or f"it runs on the source, and is held on the target{under_way}",
    )
