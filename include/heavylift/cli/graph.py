"""``heavylift graph``: what depends on what, and whether everything is accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.inventory_options import Asked, Conn, Migration, PlatformName, SpecFile, asked
from heavylift.cli.inventory_text import graph_text
from heavylift.cli.output import ExitStatus, finish
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn
from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.evidence.inventory_records import Acceptance
    from heavylift.inventory.api import Drawn

app = typer.Typer(no_args_is_help=True)


@app.command()
def graph(
    spec: SpecFile = None,
    platform: PlatformName = None,
    conn: Conn = None,
    migration: Migration = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            help="TARGET=REASON: references to TARGET (* for any text) may stay open; may be given again"
        ),
    ] = None,
    accept_file: Annotated[Path | None, typer.Option(help="YAML: a list of {target: …, reason: …}")] = None,
    around: Annotated[
        str | None, typer.Option(metavar="ID", help="draw only what is near this component")
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="CONN", help="join this connection's last inventory, too; may be given again"),
    ] = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="print the picture, and nothing else")] = False,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Make the graph of the last inventory; asks the platform nothing.

    Exits 1 where a reference is neither answered nor explained, or where the inventory is not complete.
    """
    from heavylift.aio import run

    whose = asked(spec, platform, conn, migration, evidence, evidence_conn)
    from heavylift.inventory.requests import acceptances_of, further_connections

    explained = acceptances_of(whose.spec) if whose.spec else []
    acceptances = [*explained, *_from_file(accept_file), *(_accepted(text) for text in accept or ())]
    beside = [*(further_connections(whose.spec) if whose.spec else ()), *(also or ())]
    drawn = run(_make(whose, acceptances, around or "", list(dict.fromkeys(beside))))
    record = drawn.record
    unexplained = [each for each in drawn.graph.outside if not each.explained]
    finish(
        {
            "graph": record.model_dump(mode="json"),
            "evidence": drawn.ref.model_dump(mode="json"),
            "unexplained": [
                {
                    "target": each.reference.target,
                    "component": each.reference.component,
                    "field": each.reference.field,
                    "why": each.why.value,
                    "confidence": each.reference.confidence,
                }
                for each in unexplained
            ],
        },
        text=drawn.text if mermaid else graph_text(record, unexplained),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


async def _make(whose: Asked, acceptances: list[Acceptance], around: str, also: list[str]) -> Drawn:
    from heavylift.evidence.store import open_evidence
    from heavylift.inventory.api import make_graph

    async with open_evidence(whose.evidence_url, whose.evidence_connection, create=False) as store:
        return await make_graph(
            store, whose.migration, whose.connection.conn_id, acceptances, around=around, also=also
        )


def _accepted(text: str) -> Acceptance:
    from heavylift.evidence.inventory_records import Acceptance

    target, separator, reason = text.rpartition("=")
    if not separator or not target.strip() or not reason.strip():
        raise SpecError(
            "reading --accept",
            got=repr(text),
            expected="TARGET=REASON, such as 'host:*.example.com=the partner keeps it'",
            state="nothing was touched",
            remedy="correct --accept",
            code="7642",
        )
    return Acceptance(target=target.strip(), reason=reason.strip())


def _from_file(path: Path | None) -> list[Acceptance]:
    if path is None:
        return []
    import yaml
    from pydantic import ValidationError

    from heavylift.evidence.inventory_records import Acceptance

    try:
        rows: Any = yaml.safe_load(path.read_text())
        return [Acceptance(**row) for row in rows or ()]
    except (OSError, yaml.YAMLError, ValidationError, TypeError) as error:
        raise SpecError(
            f"reading {path}",
            got=type(error).__name__,
            expected="a YAML list of {target: …, reason: …}",
            state="nothing was touched",
            remedy="correct the file",
            code="7643",
        ) from error
