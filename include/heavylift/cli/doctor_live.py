"""What ``heavylift doctor --spec`` asks itself: connections here, databases and routes where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.connections import connection_from_env
from heavylift.errors import ConnectionConfigError, HeavyliftError, NotFoundError
from heavylift.evidence.wording import counted, size
from heavylift.report.doctor.ailments import Ailment, Urgency

if TYPE_CHECKING:
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.switch_records import WorldRecord
    from heavylift.evidence.table_records import StreamStatus
    from heavylift.spec.model import MigrationSpec
    from heavylift.tables.requests import TablesRequest

_ENDED = "ended"
_NOTHING_APPLIED = frozenset({"", "0/0"})
_LOST = frozenset({"lost", "missing", "unreserved"})
"""States of a slot in which the source does not keep the log any more, or will not for long."""


def missing_connections(spec: MigrationSpec, *, without: str = "") -> list[Ailment]:
    """Return the connections that the spec names and that are not set here or cannot be read.

    :param without: one that this command does not need.
    """
    from heavylift.spec.used_connections import used_connections

    missing: dict[str, ConnectionConfigError] = {}
    for conn_id in used_connections(spec):
        try:
            connection_from_env(conn_id)
        except ConnectionConfigError as error:
            if conn_id != without:
                missing[conn_id] = error
    if not missing:
        return []
    first, cause = next(iter(missing.items()))
    others = f"; likewise {', '.join(list(missing)[1:])}" if len(missing) > 1 else ""
    problem = f"{counted(len(missing), 'connection')} of the spec cannot be used here: {first}: {cause.got}"
    remedy = f"{cause.remedy}; whether Airflow has it, tells: airflow connections get {first}"
    return [Ailment(Urgency.BROKEN, "connections", problem + others, remedy, f"HL-{cause.code}")]


async def look_live(spec: MigrationSpec) -> tuple[list[str], list[Ailment]]:
    """Ask every database and route how it stands now; changes nothing."""
    from heavylift.evidence.records import RunKey

    run = RunKey(migration=spec.migration, phase="cutover", run="doctor")
    facts: list[str] = []
    ailments: list[Ailment] = []
    world, facts_of_world, wrong = await _world(spec, run) if spec.cutover is not None else (None, [], [])
    for database in spec.databases:
        more = await _database(spec, database.name, run, _still(world, database.name))
        facts += more[0]
        ailments += more[1]
    return facts + facts_of_world, ailments + wrong


def _still(world: WorldRecord | None, database: str) -> str:
    """Return the direction in which nothing flows: nobody writes to the side that it comes from."""
    for stand in world.databases if world else ():
        if stand.database == database and {stand.source, stand.target} == {"open", "frozen"}:
            return "forward" if stand.source == "frozen" else "reverse"
    return ""


async def _database(
    spec: MigrationSpec, name: str, run: RunKey, still: str
) -> tuple[list[str], list[Ailment]]:
    from heavylift.tables.api import both_directions
    from heavylift.tables.requests import tables_request

    try:
        request = tables_request(spec, name, run, connection_from_env)
        found = await both_directions(request)
    except ConnectionConfigError:
        return [], []  # told of the connection itself
    except NotFoundError:
        return [f"database {name}: nothing flows yet"], []
    except HeavyliftError as error:
        return [], [_no_answer(f"database {name}", error)]
    ailments = [
        each
        for status in found
        for each in _of_stream(status, name, request, spec.migration, still=status.direction == still)
    ]
    return [_fact(status, name, still=status.direction == still) for status in found], ailments


async def _world(spec: MigrationSpec, run: RunKey) -> tuple[WorldRecord | None, list[str], list[Ailment]]:
    from heavylift.cutover.world import observe
    from heavylift.report.doctor.switches import ailments_of_world
    from heavylift.switching.parts import open_parts

    try:
        async with open_parts(spec, run, connection_from_env) as parts:
            world = (await observe(parts)).record()
    except ConnectionConfigError:
        return None, [], []  # told of the connection itself
    except HeavyliftError as error:
        return None, [], [_no_answer("databases and routes of the switch", error)]
    facts = [
        f"database {each.database} now: source {each.source}, target {each.target}"
        for each in world.databases
    ]
    facts += [f"{each.route} now: {each.target_percent} % to the target" for each in world.routes]
    facts += [
        f"schedule {each.schedule} now: source {each.source}, target {each.target}"
        for each in world.schedules
    ]
    return world, facts, ailments_of_world(world, "cutover", spec.migration)


def _of_stream(
    status: StreamStatus, name: str, request: TablesRequest, migration: str, *, still: bool
) -> list[Ailment]:
    found = []
    subject = f"database {name} {status.direction}"
    if status.state == _ENDED:
        return []  # on purpose: its slot is gone, and its reason says so
    if status.reason:
        remedy = f"mend that, then trigger DAG {migration}.sync: it goes on where it stopped"
        found.append(Ailment(Urgency.BROKEN, subject, f"{status.state}: {status.reason}", remedy))
    begun = status.applied_position not in _NOTHING_APPLIED
    if begun and status.slot_state in _LOST:
        problem = f"the source does not keep the log any more (slot {status.slot_state})"
        remedy = f"trigger DAG {migration}.transfer with Copy anew: only a new snapshot closes the gap"
        found.append(Ailment(Urgency.NOW, subject, problem, remedy))
    most = request.options.max_retained_wal
    if status.retained_bytes is not None and most and status.retained_bytes > most / 2:
        problem = (
            f"its slot keeps {size(status.retained_bytes)} of log on the source, of {size(most)} allowed"
        )
        found.append(Ailment(Urgency.BROKEN, subject, problem, f"trigger DAG {migration}.sync now"))
    # Where nobody writes, the time since the last change is no lag, and no sync would close it.
    if not still and status.lag_seconds is not None and status.lag_seconds > request.options.max_lag:
        problem = f"{status.lag_seconds:,.0f} s behind right now, {request.options.max_lag:g} s are accepted"
        remedy = (
            f"trigger DAG {migration}.sync; where it runs, heavylift tables status tells whether it closes"
        )
        found.append(Ailment(Urgency.SOON, subject, problem, remedy))
    return found


def _fact(status: StreamStatus, name: str, *, still: bool) -> str:
    kept = (
        f", slot {status.slot_state} keeps {size(status.retained_bytes)}"
        if status.retained_bytes is not None
        else ""
    )
    behind = f"{status.lag_seconds:,.0f} s behind" if status.lag_seconds is not None else "lag unknown"
    behind = "nobody writes where it comes from" if still else behind
    return f"database {name} {status.direction} now: {status.state}, {behind}{kept}"


def _no_answer(subject: str, error: HeavyliftError) -> Ailment:
    problem = f"it can't be asked: {error.what} failed" + (f": got {error.got}" if error.got else "")
    return Ailment(Urgency.BROKEN, subject, problem, error.remedy, f"HL-{error.code}")
