"""``heavylift compliance``: find personal data, judge the rules, report on controls."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.acts import note_act
from heavylift.cli.compliance_text import check_text, controls_text, scan_text
from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.output import ExitStatus, finish, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection, shell_actor
from heavylift.connections import connection_from_env
from heavylift.errors import ConnectionConfigError, NotFoundError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavylift.compliance.controls import ControlsRecord
    from heavylift.compliance.requests import ScanRequest
    from heavylift.connections import Connection
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.compliance_records import ComplianceRecord, ScanRecord
    from heavylift.evidence.records import RunKey
    from heavylift.platforms.places import Place
    from heavylift.spec.model import MigrationSpec

app = typer.Typer(no_args_is_help=True)
_SECONDS = 5.0


@dataclass(frozen=True)
class _Noted:
    """Whose audit trail an act goes into."""

    migration: str
    evidence_url: str | None
    evidence_connection: Connection | None

    @property
    def run(self) -> RunKey:
        from heavylift.evidence.compliance_records import COMPLIANCE
        from heavylift.evidence.records import RunKey

        return RunKey(migration=self.migration, phase=COMPLIANCE, run="")


@app.callback()
def _group() -> None:
    """Find personal data, judge the rules, report on controls."""


@app.command("scan")
def scan_command(
    what: Annotated[
        list[str],
        typer.Argument(metavar="URL|TABLE...", help="s3://…, gs://…, az://…, file://…; or schema.table"),
    ],
    conn: Annotated[str | None, typer.Option(metavar="ID", help="its connection; none for file://")] = None,
    bound: Annotated[
        float, typer.Option(min=1e-6, max=1.0, help="share of units that may hold what goes unseen, at 95 %")
    ] = 0.01,
    everything: Annotated[bool, typer.Option("--everything", help="read all, whatever the bound")] = False,
    second_opinion: Annotated[
        bool, typer.Option("--second-opinion", help="ask Presidio about a few candidates of each column")
    ] = False,
    include: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="only these keys")] = None,
    exclude: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="not these")] = None,
    seed: Annotated[int, typer.Option(help="of what is drawn")] = 20260101,
    subject: Annotated[str | None, typer.Option(help="name of the dataset; by default URL or table")] = None,
    migration: Annotated[str, typer.Option(help="name under which evidence is kept")] = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Find personal data by column and kind, with a bound on what was not seen. Source is only read.

    Ends with 0 where everything drawn could be read, whatever was found; with 1 where some could not be.
    """
    from heavylift.compliance.requests import ScanRequest

    places = [each for each in what if "://" in each]
    if places and len(what) > 1:
        raise _wrong("arguments", f"{len(what)} places", "one URL, or tables of one database", "8301")
    store = evidence_connection(evidence_conn)
    if not places and conn is None:
        raise _wrong("--conn", "none", "the connection of the database", "8302")
    request = ScanRequest(
        migration=migration,
        subject=subject or (what[0] if places else f"{conn}-{'-'.join(what)}"),
        place=_place(what[0], conn) if places else None,
        database=None if places else connection_from_env(conn or ""),
        tables=() if places else tuple(what),
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        bound=bound,
        everything=everything,
        second_opinion=second_opinion,
        seed=seed,
        evidence_url=evidence,
        evidence_connection=store,
    )
    record, ref = take_scan(request)
    finish(
        {"scan": record.model_dump(mode="json"), "evidence": ref.model_dump(mode="json")},
        text=scan_text(record, ref),
        as_json=as_json,
        status=ExitStatus.DONE if record.complete else ExitStatus.FAILED,
    )


@app.command("check")
def check_command(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="spec file with a section compliance")],
    scan: Annotated[
        bool, typer.Option("--scan", help="scan the sources of datasets and databases first")
    ] = False,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Judge the spec's rules over the whole path of everything that it moves.

    Ends with 1 where a rule is broken, or what it asks is not known; each is told with its id and remedy.
    """
    from heavylift.aio import run
    from heavylift.compliance.check import demanded
    from heavylift.compliance.from_spec import scan_requests
    from heavylift.spec.load import load_spec

    loaded = load_spec(spec)
    rules = demanded(loaded)
    stored = evidence_conn or (None if evidence else loaded.evidence.connection)
    where = (evidence or loaded.evidence.url, evidence_connection(stored))
    if scan and rules.scan:
        for request in scan_requests(loaded, connection_from_env, *where):
            note(take_scan(request)[0].statement)
    record, ref = run(_check(loaded, *where))
    finish(
        {"check": record.model_dump(mode="json"), "evidence": ref.model_dump(mode="json")},
        text=check_text(record, ref),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


@app.command("report")
def report_command(
    migration: Annotated[str, typer.Argument(help="The migration.")],
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Map audit trail and evidence to controls of GDPR and HIPAA, as JSON and HTML.

    Ends with 1 where something speaks against a control; one that nothing shows is told and no failure.
    """
    from heavylift.aio import run

    record, (kept, page) = run(_report(migration, evidence, evidence_connection(evidence_conn)))
    against = any(each.standing == "contradicted" for each in record.controls)
    finish(
        {
            "controls": record.model_dump(mode="json"),
            "evidence": [each.model_dump(mode="json") for each in (kept, page)],
        },
        text=controls_text(record, (kept, page)),
        as_json=as_json,
        status=ExitStatus.FAILED if against else ExitStatus.DONE,
    )


async def _report(
    migration: str, url: str | None, connection: Connection | None
) -> tuple[ControlsRecord, tuple[EvidenceRef, EvidenceRef]]:
    from heavylift.evidence.audit import AuditTrail
    from heavylift.evidence.audit_entry import Act
    from heavylift.evidence.compliance_records import COMPLIANCE
    from heavylift.evidence.store import open_evidence
    from heavylift.report.controls import build_controls

    async with open_evidence(url, connection, create=False) as store:
        trail = AuditTrail(store, migration)
        if not await trail.head():
            raise NotFoundError(
                f"report on controls of migration {migration!r}",
                got="no entry of its audit trail",
                expected="a migration with evidence",
                state="nothing was written",
                remedy="name the migration, and its evidence store with --evidence",
                code="8304",
            )
        record, refs = await build_controls(store, migration)
        await trail.append(Act(shell_actor(), "compliance.reported", COMPLIANCE, "", migration, refs))
    return record, refs


async def _check(
    spec: MigrationSpec, url: str | None, connection: Connection | None
) -> tuple[ComplianceRecord, EvidenceRef]:
    from heavylift.compliance.check import check_compliance
    from heavylift.evidence.store import open_evidence

    async with open_evidence(url, connection) as store:
        return await check_compliance(store, spec, _known, shell_actor())


def _known(conn_id: str) -> Connection | None:
    try:
        return connection_from_env(conn_id)
    except ConnectionConfigError:
        # What is not set here is not known, and the rule says so.
        return None


def _place(url: str, conn: str | None) -> Place:
    from heavylift.locations import parse_location
    from heavylift.platforms.places import Place

    return Place(parse_location(url), connection_from_env(conn) if conn else None)


def take_scan(request: ScanRequest) -> tuple[ScanRecord, EvidenceRef]:
    """Scan, tell how far it is, and note it in the audit trail."""
    from heavylift.aio import run
    from heavylift.compliance.scanning import scan

    record, ref = run(scan(request, _teller()))
    details = {"classes": record.classes, "units": record.units, "complete": record.complete}
    noted = _Noted(request.migration, request.evidence_url, request.evidence_connection)
    note_act(noted, request.subject, "compliance.scanned", (ref,), details)
    return record, ref


def _teller() -> Callable[[tuple[int, int]], None]:
    import time

    last = time.monotonic()

    def tell(progress: tuple[int, int]) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS:
            last = time.monotonic()
            note(f"{progress[0]:,} of {progress[1]:,} units read")

    return tell


def _wrong(option: str, got: str, expected: str, code: str) -> SpecError:
    return SpecError(
        f"reading {option}",
        got=got,
        expected=expected,
        state="nothing was touched",
        remedy=f"correct {option}",
        code=code,
    )
