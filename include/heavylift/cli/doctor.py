"""``heavylift doctor``: what is wrong with a migration and what to do, on one screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.output import ExitStatus, finish
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection
from heavylift.errors import HeavyliftError, SpecError

if TYPE_CHECKING:
    from heavylift.report.doctor.ailments import Ailment, Examination
    from heavylift.spec.model import MigrationSpec

app = typer.Typer()


@app.command()
def doctor(
    migration: Annotated[str, typer.Argument(help="The migration.")],
    spec: Annotated[
        Path | None,
        typer.Option(
            "--spec",
            metavar="FILE",
            help="Its spec: then ages, lags and connections are judged, and databases and routes are asked.",
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live/--no-live", help="With --spec: ask databases and routes.")
    ] = True,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a migration and what to do next, most urgent first.

    Reads only. Exits 0 where there is nothing to do, 1 where there is something.
    """
    from heavylift.aio import run

    loaded = _load(spec, migration) if spec else None
    found = run(_examine(migration, loaded, evidence, evidence_conn, live=live))
    finish(
        {
            "migration": migration,
            "well": found.is_well,
            "facts": list(found.facts),
            "ailments": [each.document for each in found.ailments],
        },
        text=_text(found),
        as_json=as_json,
        status=ExitStatus.DONE if found.is_well else ExitStatus.FAILED,
    )


def _load(path: Path, migration: str) -> MigrationSpec:
    from heavylift.spec.load import load_spec

    spec = load_spec(path)
    if spec.migration == migration:
        return spec
    raise SpecError(
        f"examining migration {migration!r}",
        got=f"the spec of migration {spec.migration!r} in {path}",
        expected="the spec of the migration that is named",
        state="nothing was read",
        remedy="name the spec's own migration, or give the file of the other one",
        code="8961",
    )


async def _examine(
    migration: str, spec: MigrationSpec | None, url: str | None, conn: str | None, *, live: bool
) -> Examination:
    from heavylift.report.doctor.ailments import Examination

    found = Examination(migration)
    if spec is not None:
        from heavylift.cli.doctor_live import look_live, missing_connections

        missing = missing_connections(spec, without=spec.evidence.connection if url else "")
        found = found.with_more(ailments=missing)
        if live:
            facts, ailments = await look_live(spec)
            found = found.with_more(facts=facts, ailments=ailments)
    try:
        seen = await _evidence(migration, spec, url, conn)
    except HeavyliftError as error:
        return found.with_more(ailments=[_unreachable(error)])
    if spec is None and seen.has_nothing:
        # Without a spec a misspelled name would look like a migration that is well.
        from heavylift.cli.report import no_run

        raise no_run(migration, url or "the evidence store", [])
    return seen.with_more(facts=found.facts, ailments=found.ailments)


async def _evidence(
    migration: str, spec: MigrationSpec | None, url: str | None, conn: str | None
) -> Examination:
    from heavylift.evidence.store import open_evidence
    from heavylift.report.doctor.examine import examine

    place = url or (spec.evidence.url if spec else None)
    stored = conn or (spec.evidence.connection if spec and not url else None)
    async with open_evidence(place, evidence_connection(stored), create=False) as store:
        return await examine(store, migration, spec)


def _unreachable(error: HeavyliftError) -> Ailment:
    from heavylift.report.doctor.ailments import Ailment, Urgency

    problem = f"it can't be read: {error.what} failed" + (f": got {error.got}" if error.got else "")
    return Ailment(Urgency.NOW, "evidence store", problem, error.remedy, f"HL-{error.code}")


def _text(found: Examination) -> str:
    """Return one screen: what to do first, then how everything stands."""
    lines: list[str] = []
    for each in found.ailments:
        code = f" [{each.code}]" if each.code else ""
        lines += [
            f"{each.urgency.word.upper():8}{each.subject}: {each.problem}{code}",
            f"        -> {each.remedy}",
        ]
    codes = list(dict.fromkeys(each.code for each in found.ailments if each.code))
    if codes:
        lines.append(f"        more on a code: heavylift explain {codes[0]}")
    head = (
        f"{found.migration}: nothing to do" if found.is_well else f"{found.migration}: {_count(found)} to do"
    )
    return "\n".join([head, *lines, *(f"  {fact}" for fact in found.facts)])


def _count(found: Examination) -> str:
    from heavylift.evidence.wording import counted

    return counted(len(found.ailments), "thing")
