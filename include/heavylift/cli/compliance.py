"""``heavylift compliance``: find personal data, judge the rules, report on controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.acts import note_act
from heavylift.cli.compliance_text import scan_text
from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.output import ExitStatus, finish, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection
from heavylift.connections import connection_from_env
from heavylift.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavylift.compliance.requests import ScanRequest
    from heavylift.connections import Connection
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.compliance_records import ScanRecord
    from heavylift.evidence.records import RunKey
    from heavylift.platforms.places import Place

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
