"""What operators and commands call: plan endpoints, bring them up, verify and remove them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from heavylift.endpoints.deciding import decide, judged
from heavylift.endpoints.driving import (
    Key,
    Progress,
    bring_up,
    conflicts_in,
    look_at,
    refuse_conflicts,
    take_down,
)
from heavylift.endpoints.opening import location_of, open_serving
from heavylift.endpoints.ports import ServingPort, WantedEndpoint
from heavylift.endpoints.requests import EndpointsRequest
from heavylift.endpoints.smoke import smoked
from heavylift.endpoints.source_others import read_source
from heavylift.endpoints.waiting import described
from heavylift.errors import ConflictError, IncompleteError
from heavylift.evidence.canonical import canonical_json, sha256_hex
from heavylift.evidence.endpoint_records import (
    EndpointAct,
    EndpointGap,
    EndpointsRecord,
    SmokeRow,
    ThingRow,
)
from heavylift.evidence.records import utc_now
from heavylift.spec.sections_endpoints import Endpoint

Touching = Callable[[str], Awaitable[None]]
Begun = Mapping[str, Iterable[Key]]
"""Endpoint → what a run has begun."""
_SHOWN = 5


@dataclass
class Acted:
    """What one call has come to.

    :param begun: to be handed to the next call of the same run.
    :param waits_for: what is under way, as :func:`heavylift.endpoints.waiting.is_under_way` takes it: wait,
        then call again.
    """

    record: EndpointsRecord
    begun: dict[str, list[Key]] = field(default_factory=dict)
    waits_for: tuple[dict[str, Any], ...] = ()


async def plan_endpoints(request: EndpointsRequest, *, removal: bool = False) -> EndpointsRecord:
    """Tell what would be made or removed, what stays behind, and what stands in the way; changes nothing.

    :raises SpecError: neither spec nor source tells something that is needed.
    :raises NotFoundError: the source's endpoint, or a registered version, is not there.
    :raises CredentialError: a side refuses the credentials.
    """
    started = utc_now()
    async with _opened(request, leaving=removal) as opened:
        found = await _looked(opened)
    act: EndpointAct = "plan-removal" if removal else "plan"
    rows = [_as_removed(row) if removal else row for row in _rows(found)]
    problems = [] if removal else [each for progress in found for each in conflicts_in(progress)]
    return _record(request, act, started, (opened, found), rows, problems)


async def apply_endpoints(
    request: EndpointsRequest,
    approved: str,
    begun: Begun | None = None,
    touching: Touching | None = None,
) -> Acted:
    """Bring all endpoints up as far as can be done now; what takes long is left under way.

    Idempotency: a second call changes nothing; after a kill the next one goes on where the product stands.

    :param approved: digest of the plan that somebody has approved.
    :param begun: what the call before returned, in the same run.
    :param touching: called before anything is changed, with the digest.
    :raises ConflictError: what the spec says now is not what was approved, or something is in the way.
    :raises IncompleteError: the product did not make a thing; a quota is named as such.
    """
    started = utc_now()
    async with _opened(request) as opened:
        plan = await _looked(opened)
        _demand(request.run.migration, "bringing up", approved, _digest(request, "plan", (opened, plan)))
        for each in plan:
            refuse_conflicts(each)
        require_serving(_record(request, "plan", started, (opened, plan), _rows(plan), []))
        if touching:
            await touching(approved)
        found = await _all(
            opened, lambda one: bring_up(one.port, one.wanted, (begun or {}).get(one.endpoint.name, ()))
        )
    return _acted(_record(request, "apply", started, (opened, found), _rows(found), []), opened, found)


async def verify_endpoints(request: EndpointsRequest) -> EndpointsRecord:
    """Look whether every endpoint is as the spec says, and ask each its golden row; changes nothing.

    :raises SpecError: a file of a golden row is no JSON.
    """
    started = utc_now()
    async with _opened(request) as opened:
        found = await _looked(opened)
        ready = [
            one
            for one, progress in zip(opened, found, strict=True)
            if all(seen.state == "ready" for seen in progress.after.values())
        ]
        answers = [
            await smoked(one.port, one.wanted, one.endpoint.smoke, request.spec_path)
            for one in ready
            if one.endpoint.smoke is not None
        ]
    problems = [
        f"{row.kind} {row.name}: {row.before}" + (f" ({', '.join(row.differs)})" if row.differs else "")
        for row in _rows(found)
        if row.before != "ready"
    ]
    problems += [f"endpoint {each.endpoint}: {each.reason}" for each in answers if not each.passed]
    return _record(request, "verify", started, (opened, found), _rows(found), problems, answers)


async def remove_endpoints(
    request: EndpointsRequest,
    approved: EndpointsRecord,
    begun: Begun | None = None,
    touching: Touching | None = None,
) -> Acted:
    """Remove all that was made: deployments, then endpoints, then models; what is not ours is left, and told.

    Idempotency: what is gone is found gone; after a kill the next call goes on.

    :param approved: the plan of the removal that somebody has approved.
    :raises ConflictError: something would be removed that is not in it.
    :raises IncompleteError: the product did not remove a thing.
    """
    started = utc_now()
    async with _opened(request, leaving=True) as opened:
        plan = await _looked(opened)
        _demand_in(request, approved, _rows(plan))
        if touching:
            await touching(approved.digest)
        found = await _all(
            opened, lambda one: take_down(one.port, one.wanted, (begun or {}).get(one.endpoint.name, ()))
        )
    return _acted(_record(request, "remove", started, (opened, found), _rows(found), []), opened, found)


def require_serving(record: EndpointsRecord) -> None:
    """Do nothing where all is as wanted.

    :raises IncompleteError: something is not; the first are named.
    """
    if record.passed:
        return
    left = [
        f"{e.kind} {e.name}: {e.after}" for e in record.rows if e.after not in {"ready", "absent", "kept"}
    ]
    open_gaps = [f"{e.subject}: {e.what}" for e in record.gaps if not e.accepted]
    named = [*record.problems, *open_gaps, *left]
    raise IncompleteError(
        f"{record.act} of endpoints",
        got="; ".join(named[:_SHOWN]),
        expected="every endpoint as the spec says, and every gap accepted in it",
        state="nothing was changed by looking" if record.act != "apply" else "what is made stays",
        remedy="mend what is named, or accept it in accept_untranslated; then run again",
        code="9296",
    )


@dataclass(frozen=True)
class _Open:
    """One endpoint, decided, with its product opened."""

    endpoint: Endpoint
    wanted: WantedEndpoint
    port: ServingPort
    gaps: tuple[EndpointGap, ...] = ()
    unused: tuple[str, ...] = ()


@asynccontextmanager
async def _opened(request: EndpointsRequest, *, leaving: bool = False) -> AsyncIterator[list[_Open]]:
    """Decide on every endpoint and open its product for the block; nothing is changed."""
    async with AsyncExitStack() as stack:
        found = []
        for endpoint in request.endpoints:
            connection = request.connections[endpoint.target.connection]
            location = location_of(connection, endpoint.target.location, request.region)
            port = await stack.enter_async_context(open_serving(endpoint.target.kind, connection, location))
            # What is removed needs names alone: the source may be gone by then.
            source = None if leaving else endpoint.source
            read = await read_source(source, request.connections[source.connection]) if source else None
            decided = decide(request.run.migration, endpoint, read, location, leaving=leaving)
            if leaving:
                found.append(_Open(endpoint, decided.wanted, port))
                continue
            gaps, unused = judged(endpoint, (*decided.gaps, *port.gaps(decided.wanted)))
            found.append(_Open(endpoint, decided.wanted, port, tuple(gaps), tuple(unused)))
        yield found


async def _all(opened: Sequence[_Open], act: Callable[[_Open], Awaitable[Progress]]) -> list[Progress]:
    """Act on every endpoint at once; one that fails does not keep the others from what they can do now."""
    ended = await asyncio.gather(*(act(one) for one in opened), return_exceptions=True)
    for each in ended:
        if isinstance(each, BaseException):
            raise each
    return [each for each in ended if isinstance(each, Progress)]


async def _looked(opened: Sequence[_Open]) -> list[Progress]:
    return await _all(opened, lambda one: look_at(one.port, one.wanted))


def _rows(found: Sequence[Progress]) -> list[ThingRow]:
    return [row for each in found for row in each.rows]


def _as_removed(row: ThingRow) -> ThingRow:
    kept = row.before == "foreign" or row.kind == "traffic"
    return row.model_copy(update={"after": "kept" if kept and row.before != "absent" else row.after})


def _digest(
    request: EndpointsRequest, act: EndpointAct, made: tuple[Sequence[_Open], Sequence[Progress]]
) -> str:
    """Return the digest of what is wanted and of what stays behind, whatever was found."""
    opened, found = made
    content = {
        "act": act,
        "migration": request.run.migration,
        "things": [
            [each.wanted.name, each.wanted.location, thing.kind, thing.name, thing.path]
            + ([] if each.wanted.leaving else [thing.body])
            for each in found
            for thing in each.things
        ],
        "gaps": [gap.model_dump(mode="json") for each in opened for gap in each.gaps],
    }
    return sha256_hex(canonical_json(content))


def demand_removal(plan: EndpointsRecord, approved: str) -> None:
    """Do nothing where a plan of a removal is the one that was approved.

    :raises ConflictError: it is another one.
    """
    _demand(plan.run.migration, "removing", approved, plan.digest)


def _demand(migration: str, what: str, approved: str, digest: str) -> None:
    if approved == digest:
        return
    raise ConflictError(
        f"{what} the endpoints of {migration}",
        got=f"what the spec and the source say now, of digest {digest}",
        expected=f"exactly what was approved, of digest {approved or '(none)'}",
        state="nothing was changed on the target",
        remedy="plan again, and have that plan approved",
        code="9297",
    )


def _demand_in(request: EndpointsRequest, approved: EndpointsRecord, rows: Sequence[ThingRow]) -> None:
    """Do nothing where the approved plan names all that would be removed: less is fine, more is not."""
    known = {(row.endpoint, row.kind, row.name) for row in approved.rows}
    more = [row for row in map(_as_removed, rows) if row.after not in {"absent", "kept"}]
    unknown = [f"{row.kind} {row.name}" for row in more if (row.endpoint, row.kind, row.name) not in known]
    if unknown or approved.act != "plan-removal":
        raise ConflictError(
            f"removing the endpoints of {request.run.migration}",
            got=f"what nobody has approved to remove: {', '.join(unknown[:_SHOWN]) or 'a plan that makes'}",
            expected=f"only what the plan of digest {approved.digest} names",
            state="nothing was removed",
            remedy="plan the removal again, and have that plan approved",
            code="9298",
        )


def _record(
    request: EndpointsRequest,
    act: EndpointAct,
    started: datetime,
    made: tuple[Sequence[_Open], Sequence[Progress]],
    rows: Sequence[ThingRow],
    problems: Sequence[str],
    smoke: Sequence[SmokeRow] = (),
) -> EndpointsRecord:
    opened, _found = made
    gaps: list[EndpointGap] = [gap for each in opened for gap in each.gaps]
    removal = act in {"plan-removal", "remove"}
    under = [] if removal or act == "plan" else [row for row in rows if row.after != "ready"]
    left = [row for row in rows if row.after not in {"absent", "kept"}] if act == "remove" else []
    blocked = not removal and any(not each.accepted for each in gaps)
    return EndpointsRecord(
        run=request.run,
        act=act,
        started_at=started,
        targets={each.wanted.name: f"{each.wanted.location}/{each.wanted.endpoint}" for each in opened},
        digest=_digest(request, _planned(act), made),
        rows=tuple(rows),
        gaps=tuple(sorted(gaps, key=lambda each: (bool(each.accepted), each.subject))),
        unused=tuple(name for each in opened for name in each.unused),
        smoke=tuple(smoke),
        problems=tuple(problems),
        passed=not (problems or blocked or under or left),
    )


def _planned(act: EndpointAct) -> EndpointAct:
    return "plan-removal" if act in {"plan-removal", "remove"} else "plan"


def _acted(record: EndpointsRecord, opened: Sequence[_Open], found: Sequence[Progress]) -> Acted:
    begun = {each.wanted.name: sorted(each.begun) for each in found}
    waits = tuple(
        described(one.endpoint.target.kind, one.endpoint.target.connection, one.wanted, each.waits_for)
        for one, each in zip(opened, found, strict=True)
        if each.waits_for is not None
    )
    return Acted(record, begun, waits)
