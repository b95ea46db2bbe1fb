"""``heavylift plan``: what moves how, when and at what cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn
from heavylift.errors import NotFoundError

if TYPE_CHECKING:
    from heavylift.evidence.assess_records import Plan

app = typer.Typer()

_SHOWN = 200
_SPECS = frozenset({".yaml", ".yml"})


@app.command()
def plan(
    source: Annotated[
        Path,
        typer.Argument(metavar="SPEC|INPUT", help="A spec (.yaml): its newest inventory; or an input, JSON."),
    ],
    explain: Annotated[bool, typer.Option(help="Say every decision in words.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the plan, JSON with its digest.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write the plan as an HTML page.")] = None,
    mermaid: Annotated[Path | None, typer.Option(help="Write the graph as Mermaid text.")] = None,
    facts: Annotated[Path | None, typer.Option(help="Folder with tables of your own.")] = None,
    prices: Annotated[Path | None, typer.Option(help="CSV file with prices of your own.")] = None,
    expect: Annotated[
        str | None, typer.Option(help="Refuse a plan with another digest than the approved one.")
    ] = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Plan a move: target, waves, ways, time, cost, findings and risks. Nothing is changed or kept.

    With a spec the newest inventory of its migration and the graph of it are read from the evidence store.

    The same input and tables give the same plan and digest. Exits 1 where the plan does not meet what it
    must keep to; it says what not.
    """
    import gc

    from heavylift.assess.document import require_digest, to_document

    # Nothing that is made here goes in circles, and looking for that takes a fifth of the time.
    gc.disable()
    if source.suffix.lower() in _SPECS:
        made, digest = _from_spec(source, evidence, evidence_conn, facts, prices)
    else:
        made, digest = _from_input(source, facts, prices)
    if expect is not None:
        require_digest(made, digest, expect)
    if out is not None:
        _write(out, to_document(made, digest))
    if page is not None:
        _write(page, _page(made, digest))
    if mermaid is not None:
        _write(mermaid, _mermaid(made))
    finish(
        {"digest": digest, "plan": made if as_json else None},
        text="" if as_json else "\n".join(_text(made, digest, explain)),
        as_json=as_json,
        status=ExitStatus.DONE if made.met else ExitStatus.FAILED,
    )


def _from_spec(
    path: Path, evidence: str | None, conn: str | None, facts: Path | None, prices: Path | None
) -> tuple[Plan, str]:
    from heavylift.aio import run
    from heavylift.assess.api import Planned, plan_of
    from heavylift.cli.inventory_options import asked_by_spec
    from heavylift.evidence.store import open_evidence
    from heavylift.spec.carried import carried_digest

    whose = asked_by_spec(path, evidence, conn)

    async def make() -> Planned:
        async with open_evidence(whose.evidence_url, whose.evidence_connection, create=False) as store:
            return await plan_of(
                store,
                whose.of_spec,
                whose.connection.conn_id,
                carried=carried_digest(whose.of_spec),
                facts=facts,
                prices=prices,
                beside=path.parent,
            )

    planned = run(make())
    return planned.plan, planned.digest


def _from_input(path: Path, facts: Path | None, prices: Path | None) -> tuple[Plan, str]:
    from heavylift.assess.basis import load_basis
    from heavylift.assess.document import digest_of, parse_input
    from heavylift.assess.plan import make_plan

    made = make_plan(parse_input(_read(path), str(path)), load_basis(facts, prices))
    return made, digest_of(made)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFoundError(
            f"reading the input {path}",
            got=error.strerror or type(error).__name__,
            expected="a file that can be read",
            state="nothing was planned",
            remedy="name the right file",
            code="6910",
        ) from error


def _write(path: Path, data: bytes) -> None:
    mark_touched()
    path.write_bytes(data)


def _text(made: Plan, digest: str, in_full: bool) -> list[str]:
    from heavylift.assess.explain import explain, summary

    return list(explain(made, digest, _SHOWN)) if in_full else summary(made, digest)


def _page(made: Plan, digest: str) -> bytes:
    from heavylift.report.planning import render_plan

    return render_plan(made, digest).encode()


def _mermaid(made: Plan) -> bytes:
    from heavylift.assess.picture import graph_of
    from heavylift.report.mermaid import draw_graph

    return draw_graph(graph_of(made)).encode()
