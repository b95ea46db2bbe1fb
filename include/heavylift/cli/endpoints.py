"""``heavylift endpoints``: brings endpoints up on the target, verifies them, and removes them again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection, shell_actor

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.endpoints.api import Acted
    from heavylift.endpoints.requests import EndpointsRequest
    from heavylift.evidence.endpoint_records import EndpointsRecord

app = typer.Typer(no_args_is_help=True)
_LEAST_SECONDS, _MOST_SECONDS = 0.2, 15.0

SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="Spec with a section endpoints.")]
Approve = Annotated[
    str, typer.Option("--approve", metavar="DIGEST", help="Digest of the plan that you have read.")
]


@app.command()
def plan(
    spec: SpecFile,
    removal: Annotated[
        bool, typer.Option("--removal", help="What `remove` would take away, in place of `apply`.")
    ] = False,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Tell what would be made, what stays behind and what is in the way; exits 1 where that is not accepted.

    Nothing is changed. The digest approves exactly this plan.
    """
    from heavylift.aio import run
    from heavylift.endpoints.api import plan_endpoints

    asked, request = _asked(spec, evidence, evidence_conn)
    record = run(plan_endpoints(request, removal=removal))
    run(_kept(asked, record))
    _finish(record, as_json=as_json)


@app.command()
def apply(
    spec: SpecFile,
    approve: Approve,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Bring the endpoints up as the plan of that digest says, and wait until they are ready.

    A second run changes nothing. Interrupted, run it again: what is under way is found.
    """
    from heavylift.aio import run
    from heavylift.endpoints.api import apply_endpoints

    asked, request = _asked(spec, evidence, evidence_conn)

    async def step(begun: Any, touching: Any) -> Acted:
        return await apply_endpoints(request, approve, begun, touching)

    _finish(run(_carried(asked, request, "apply", step)), as_json=as_json)


@app.command()
def verify(
    spec: SpecFile,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Look whether every endpoint is as the spec says, and ask each its golden row; exits 1 where not."""
    from heavylift.aio import run
    from heavylift.endpoints.api import verify_endpoints

    asked, request = _asked(spec, evidence, evidence_conn)
    record = run(verify_endpoints(request))
    run(_kept(asked, record))
    _finish(record, as_json=as_json)


@app.command()
def remove(
    spec: SpecFile,
    approve: Approve,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Remove all that was made, as the plan of that digest (`plan --removal`) says; all else stays."""
    from heavylift.aio import run
    from heavylift.endpoints.api import demand_removal, plan_endpoints, remove_endpoints

    asked, request = _asked(spec, evidence, evidence_conn)
    planned = run(plan_endpoints(request, removal=True))
    demand_removal(planned, approve)

    async def step(begun: Any, touching: Any) -> Acted:
        return await remove_endpoints(request, planned, begun, touching)

    _finish(run(_carried(asked, request, "remove", step)), as_json=as_json)


@dataclass(frozen=True)
class _Asked:
    """Where the evidence of a command lies."""

    evidence_url: str | None
    evidence_connection: Connection | None


def _asked(spec: Path, evidence: str | None, evidence_conn: str | None) -> tuple[_Asked, EndpointsRequest]:
    from heavylift.connections import connection_from_env
    from heavylift.endpoints.requests import ENDPOINTS_PHASE, endpoints_request
    from heavylift.evidence.records import RunKey
    from heavylift.spec.load import load_spec

    loaded = load_spec(spec)
    # A store that the command line names needs no connection of the spec's.
    stored = evidence_conn or (None if evidence else loaded.evidence.connection)
    place = _Asked(evidence or loaded.evidence.url, evidence_connection(stored))
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    key = RunKey(migration=loaded.migration, phase=ENDPOINTS_PHASE, run=stamp)
    return place, endpoints_request(loaded, spec, key, connection_from_env)


async def _kept(asked: _Asked, record: EndpointsRecord) -> None:
    from heavylift.endpoints.keeping import keep_endpoints
    from heavylift.evidence.store import open_evidence

    async with open_evidence(asked.evidence_url, asked.evidence_connection) as store:
        mark_touched()
        await keep_endpoints(store, record, shell_actor())


async def _carried(
    asked: _Asked, request: EndpointsRequest, act: str, step: Callable[[Any, Any], Awaitable[Acted]]
) -> EndpointsRecord:
    """Act until nothing is under way; the trail knows of it before anything is changed."""
    from heavylift.endpoints.keeping import keep_endpoints, note_begin
    from heavylift.evidence.store import open_evidence

    async with open_evidence(asked.evidence_url, asked.evidence_connection) as store:
        begun: Any = None
        seconds = _LEAST_SECONDS

        async def touching(digest: str) -> None:
            if begun is None:
                await note_begin(store, request.run, act, digest, shell_actor())
            mark_touched()

        while True:
            acted = await step(begun, touching)
            if not acted.waits_for:
                break
            begun = acted.begun
            for each in acted.waits_for:
                print(f"waiting for {each['thing']} {each['name']}", file=sys.stderr)
            await asyncio.sleep(seconds)
            seconds = min(seconds * 2, _MOST_SECONDS)
        await keep_endpoints(store, acted.record, shell_actor())
    return acted.record


def _finish(record: EndpointsRecord, *, as_json: bool) -> None:
    from heavylift.cli.endpoints_text import endpoints_text

    finish(
        {"endpoints": record.model_dump(mode="json")},
        text=endpoints_text(record),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )
