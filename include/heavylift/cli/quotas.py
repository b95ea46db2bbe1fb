"""``heavylift quotas``: what the platforms of a migration allow, as they tell it themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.acts import note_act
from heavylift.cli.baseline_spec import Act, newest_run
from heavylift.cli.inventory_options import asked_by_spec
from heavylift.cli.output import ExitStatus, finish, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn
from heavylift.connections import connection_from_env
from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.quota_records import QuotaRecord
    from heavylift.evidence.records import RunKey
    from heavylift.quotas.api import Stored
    from heavylift.spec.model import MigrationSpec

app = typer.Typer(no_args_is_help=True)


@app.command()
def quotas(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The migration spec.")],
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Read the quotas of all regions that assess.quotas names, beside the newest inventory. Only reads.

    The next plan is judged by them. Ends with 1 where something could not be read.
    """
    from heavylift.aio import run

    whose = asked_by_spec(spec, evidence, evidence_conn)
    wanted = whose.of_spec.assess.quotas if whose.of_spec.assess else ()
    if not wanted:
        raise SpecError(
            "reading quotas",
            got="a spec that names no region",
            expected="assess.quotas with platform, region and connection",
            state="nothing was asked",
            remedy="name the regions in the spec",
            code="9416",
        )

    async def read() -> list[tuple[QuotaRecord, EvidenceRef]]:
        stored = (whose.evidence_url, whose.evidence_connection)
        return await read_all(whose.of_spec, await newest_run(whose, whose.of_spec), stored)

    found = run(read())
    for record, ref in found:
        note_act(
            Act(record.run, whose.evidence_url, whose.evidence_connection), record.connection,
            "quotas.read", (ref,), {"quotas": len(record.limits), "complete": record.complete},
        )  # fmt: skip
    finish(
        {
            "quotas": [record.model_dump(mode="json") for record, _ in found],
            "evidence": [ref.path for _, ref in found],
        },
        text="\n".join(quotas_text(record, ref) for record, ref in found),
        as_json=as_json,
        status=ExitStatus.DONE if all(record.complete for record, _ in found) else ExitStatus.FAILED,
    )


async def read_all(spec: MigrationSpec, key: RunKey, stored: Stored) -> list[tuple[QuotaRecord, EvidenceRef]]:
    """Read the quotas of all regions that a spec names."""
    from heavylift.quotas.api import quota_request, read_quotas

    found = []
    for each in spec.assess.quotas if spec.assess else ():
        note(f"reading the quotas of {each.platform.value} in {each.region}")
        request = quota_request(spec, key, connection_from_env, each.connection, each.region, stored=stored)
        found.append(await read_quotas(request))
    return found


def quotas_text(record: QuotaRecord, ref: EvidenceRef) -> str:
    """Return the quotas of a region: what is allowed, and what of it is used."""
    word = "READ" if record.complete else "NOT ALL READ"
    lines = [f"{word}: {record.platform} {record.region}, account {record.account}"]
    for each in record.limits:
        allowed = "no limit" if each.limit is None else f"{each.limit:g} {each.unit}".rstrip()
        used = "what is used is not told" if each.used is None else f"{each.used:g} used"
        lines.append(f"  {each.name}: {allowed}, {used}")
    if record.missing:
        lines.append(f"  not offered: {', '.join(record.missing)}")
    lines += [
        f"  {each.severity.value}: [{each.rule}] {each.subject}: {each.detail}; {each.remedy}"
        for each in record.findings
    ]
    return "\n".join([*lines, f"  evidence: {ref.path}"])
