"""``heavylift audit``: verify and show the audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.output import ExitStatus, finish
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_store
from heavylift.errors import NotFoundError, SpecError

if TYPE_CHECKING:
    from heavylift.evidence.audit_entry import AuditEntry
    from heavylift.evidence.audit_verify import AuditReport
    from heavylift.evidence.store import EvidenceStore

app = typer.Typer(no_args_is_help=True, help="Verify and show the audit trail.")

_MOST_PROBLEMS = 50


@app.command()
def verify(
    migration: Annotated[
        str | None, typer.Argument(help="Only this migration; all in the store where left out.")
    ] = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    head: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="A head that was kept elsewhere; it must be in the chain."),
    ] = None,
    check_files: Annotated[
        bool, typer.Option("--files/--no-files", help="Also read every evidence file that the trail names.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Verify that nothing in the trail, nor any file it names, was changed. Changes nothing.

    Finds entries that were edited, removed, replaced or reordered; with --head, and by the heads
    in phase summaries, also a trail that was cut short or rewritten. Exits 1 where it finds any.
    """
    from heavylift.aio import run

    if head and migration is None:
        raise SpecError(
            "verifying the audit trail",
            got="--head without a migration",
            expected="the migration that the head belongs to",
            state="nothing was read",
            remedy="name the migration: heavylift audit verify MIGRATION --head HASH",
            code="4203",
        )
    reports = run(_verify(migration, evidence, evidence_conn, head, check_files=check_files))
    intact = all(report.intact for report in reports)
    finish(
        {"intact": intact, "migrations": [_document(report) for report in reports]},
        text="\n\n".join(_text(report, checked=check_files) for report in reports),
        as_json=as_json,
        status=ExitStatus.DONE if intact else ExitStatus.FAILED,
    )


@app.command()
def show(
    migration: Annotated[str, typer.Argument(help="The migration whose trail is shown.")],
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    last: Annotated[int, typer.Option(min=1, help="How many entries, counted from the end.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the last entries of the trail, oldest first. It does not verify them all."""
    from heavylift.aio import run

    entries = run(_entries(migration, evidence, evidence_conn, last))
    finish(
        {"migration": migration, "entries": [entry.model_dump(mode="json") for entry in entries]},
        text=_table(entries),
        as_json=as_json,
    )


async def _verify(
    migration: str | None, url: str | None, conn: str | None, head: str | None, *, check_files: bool
) -> list[AuditReport]:
    from heavylift.evidence.audit import list_migrations
    from heavylift.evidence.audit_verify import verify_trail

    async with evidence_store(url, conn) as store:
        names = await _existing(store, migration, head) if migration else await list_migrations(store)
        if not names:
            what = f"migration {migration!r}" if migration else "any migration"
            raise _nothing_there(what, store.url)
        return [
            await verify_trail(store, name, expected_head=head, check_evidence=check_files) for name in names
        ]


async def _existing(store: EvidenceStore, migration: str, head: str | None) -> list[str]:
    """Return the migration if the store has anything of it, or a known head says that it had."""
    if head:
        return [migration]
    async for page in store.name_pages(migration):
        if page:
            return [migration]
    return []


async def _entries(migration: str, url: str | None, conn: str | None, last: int) -> list[AuditEntry]:
    from heavylift.evidence.audit import AuditTrail

    found: list[AuditEntry] = []
    async with evidence_store(url, conn) as store:
        async for entry in AuditTrail(store, migration).entries_backwards():
            found.append(entry)
            if len(found) == last:
                break
        if not found:
            raise _nothing_there(f"migration {migration!r}", store.url)
    return found[::-1]


def _document(report: AuditReport) -> dict[str, Any]:
    return {"intact": report.intact, **report.model_dump(mode="json")}


def _text(report: AuditReport, *, checked: bool) -> str:
    from heavylift.evidence.wording import counted

    files = f"{counted(report.evidence_checked, 'evidence file')} compared" if checked else "no file compared"
    kept = f"{counted(report.anchors, 'head')} kept elsewhere looked up"
    verdict = "intact" if report.intact else f"DAMAGED ({len(report.problems)} found)"
    lines = [
        f"{report.migration}: {verdict}",
        f"  {counted(report.entries, 'entry', 'entries')}, {files}, {kept}",
        f"  head {report.head or '(none)'}",
    ]
    for problem in report.problems[:_MOST_PROBLEMS]:
        place = problem.path or (f"entry {problem.entry}" if problem.entry else "the trail")
        lines.append(f"  {problem.kind.value.replace('_', ' ')}: {place}: {problem.detail}")
    left_out = len(report.problems) - _MOST_PROBLEMS
    lines += [f"  and {left_out} more; --json names all"] if left_out > 0 else []
    lines += [f"  to fix: {_remedy(report)}"] if not report.intact else []
    return "\n".join(lines)


def _remedy(report: AuditReport) -> str:
    from heavylift.evidence.audit_verify import Damage

    if {problem.kind for problem in report.problems} == {Damage.EMPTY}:
        return "restore the trail; or, if nothing was ever noted in it, run the phase again to have it proved"
    return (
        "find out who wrote to the evidence store; restore these files from the store's versions or a"
        " backup; what cannot be restored has to be proved again"
    )


def _table(entries: list[AuditEntry]) -> str:
    rows = [
        (
            str(entry.seq),
            f"{entry.time:%Y-%m-%d %H:%M:%S}",
            entry.action,
            _place(entry),
            entry.subject,
            entry.actor,
        )
        for entry in entries
    ]
    heading = ("no.", "time (UTC)", "act", "phase/run", "on", "by")
    widths = [max(len(row[column]) for row in [heading, *rows]) for column in range(len(heading))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in [heading, *rows]
    )
    return "\n".join(line.rstrip() for line in lines)


def _place(entry: AuditEntry) -> str:
    from heavylift.evidence.paths import original_text

    return f"{entry.phase}/{original_text(entry.run) or entry.run}" if entry.phase else ""


def _nothing_there(what: str, url: str) -> NotFoundError:
    return NotFoundError(
        f"looking for the audit trail of {what}",
        got=f"none in {url}",
        expected="evidence of a run",
        state="nothing was changed",
        remedy="name the right store with --evidence URL and --evidence-conn ID",
        code="4201",
    )
