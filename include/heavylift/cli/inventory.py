"""``heavylift inventory``: list the components of a platform; changes nothing on it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.acts import note_act
from heavylift.cli.inventory_options import (
    Asked,
    Conn,
    Migration,
    PlatformName,
    SpecFile,
    asked,
    asked_beside,
    system_of,
)
from heavylift.cli.inventory_text import inventory_text, reporter
from heavylift.cli.output import ExitStatus, emit, finish, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn

if TYPE_CHECKING:
    from heavylift.evidence.inventory_records import InventoryRecord
    from heavylift.evidence.records import EvidenceRef, RunKey
    from heavylift.inventory.requests import InventoryOptions, InventoryRequest

app = typer.Typer(no_args_is_help=True)


@app.command()
def inventory(
    spec: SpecFile = None,
    platform: PlatformName = None,
    conn: Conn = None,
    migration: Migration = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            help="only this region (Kubernetes: namespace; PostgreSQL: database), may be given again;"
            " default: all"
        ),
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(help="leave a type out, e.g. AWS::EC2::Volume; may be given again")
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=128, help="requests at once")] = 16,
    max_requests: Annotated[
        float | None, typer.Option(min=0.1, help="requests a second, at most; default: the spec's, or 50")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="begin anew, even where a run was interrupted")
    ] = False,
    permissions: Annotated[
        bool,
        typer.Option("--permissions", help="only print the policy that is needed"),
    ] = False,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """List the components of a platform, and what changed since the last time. Reads only.

    With a spec also those of the connections that it names beside its source (assess.also).

    A run that was interrupted less than a day ago goes on with what it has not read.
    """
    from heavylift.inventory.requests import InventoryOptions, options_of

    if permissions:
        _print_permissions(platform)
        return
    whose = asked(spec, platform, conn, migration, evidence, evidence_conn)
    given = options_of(whose.spec) if whose.spec else InventoryOptions()
    options = dataclasses.replace(
        given,
        regions=tuple(region or ()) or given.regions,
        skip=tuple(skip or ()) or given.skip,
        parallel=parallel,
        max_requests=given.max_requests if max_requests is None else max_requests,
    )
    beside = [
        (each, dataclasses.replace(given, parallel=parallel, max_requests=options.max_requests))
        for each, given in asked_beside(whose)
    ]
    taken = [take(request) for request in requests_of([(whose, options), *beside], fresh=fresh)]
    told = [
        {"inventory": record.model_dump(mode="json"), "evidence": ref.model_dump(mode="json")}
        for record, ref in taken
    ]
    finish(
        {**told[0], "also": told[1:]},
        text="\n\n".join(inventory_text(record) for record, _ in taken),
        as_json=as_json,
        status=ExitStatus.DONE if all(record.complete for record, _ in taken) else ExitStatus.FAILED,
    )


def requests_of(wanted: Sequence[tuple[Asked, InventoryOptions]], *, fresh: bool) -> list[InventoryRequest]:
    """Return the requests for the inventories of one run; one that was interrupted not long ago goes on.

    :param wanted: the source, then what is beside it.
    """
    run = _run_key([whose for whose, _ in wanted], fresh=fresh)
    return [_request(whose, options, run) for whose, options in wanted]


def _request(whose: Asked, options: InventoryOptions, run: RunKey) -> InventoryRequest:
    from heavylift.inventory.requests import InventoryRequest

    return InventoryRequest(
        run=run,
        platform=whose.platform,
        connection=whose.connection,
        evidence_url=whose.evidence_url,
        evidence_connection=whose.evidence_connection,
        options=options,
    )


def take(request: InventoryRequest) -> tuple[InventoryRecord, EvidenceRef]:
    """Take an inventory, telling how far it is, and note it in the audit trail."""
    from heavylift.aio import run
    from heavylift.inventory.api import take_inventory

    record, ref = run(take_inventory(request, reporter()))
    details = {"components": record.component_count, "complete": record.complete}
    note_act(request, record.connection, "inventory.taken", (ref,), details)
    return record, ref


def _run_key(wanted: Sequence[Asked], *, fresh: bool) -> RunKey:
    from heavylift.aio import run
    from heavylift.evidence.assess_evidence import ASSESS_PHASE
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import open_evidence
    from heavylift.inventory.runs import unfinished_run

    whose = wanted[0]

    async def unfinished() -> RunKey | None:
        async with open_evidence(whose.evidence_url, whose.evidence_connection) as store:
            for each in wanted:
                found = await unfinished_run(store, whose.migration, each.connection.conn_id)
                if found is not None:
                    return found
        return None

    found = None if fresh else run(unfinished())
    if found is not None:
        note(f"going on with run {found.run}, which was interrupted; --fresh begins anew")
        return found
    return RunKey(
        migration=whose.migration, phase=ASSESS_PHASE, run=datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    )


def _print_permissions(platform: str | None) -> None:
    from heavylift.inventory.platforms import needed_policy

    policy = needed_policy(system_of(platform))
    emit(policy, text=json.dumps(policy, indent=2), as_json=True)
