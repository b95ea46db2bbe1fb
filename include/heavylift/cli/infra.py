"""``heavylift infra``: Terraform for the target, from the plan to a destroyed test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.infra_making import make
from heavylift.cli.infra_text import (
    applied_text,
    drift_text,
    generated_text,
    planned_text,
    scanned_text,
    validated_text,
)
from heavylift.cli.output import ExitStatus, finish, mark_touched, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn

if TYPE_CHECKING:
    from heavylift.infra.plans import Planned
    from heavylift.infra.roots import Root

app = typer.Typer(no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="What 'heavylift infra generate' wrote.")]
RootName = Annotated[str | None, typer.Option("--root", help="foundation or wave-N; default: told below.")]
Conn = Annotated[
    str | None,
    typer.Option("--conn", metavar="ID", help="The target's connection; else the machine's own identity."),
]
Approve = Annotated[
    str | None,
    typer.Option(metavar="DIGEST", help="Digest of the plan that was agreed to."),
]


@app.command()
def generate(
    source: Annotated[
        Path,
        typer.Argument(metavar="SPEC|PLAN", help="A spec (.yaml): its newest plan; or a plan, JSON."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    expect: Annotated[str | None, typer.Option(help="With PLAN: the digest that was approved.")] = None,
    draft: Annotated[
        bool,
        typer.Option("--draft", help="Of a plan not approved; nothing of it can be applied."),
    ] = False,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Write Terraform for everything in the plan that Terraform can make; list the rest with reasons.

    A second run with the same plan changes nothing. Files that a person has changed are not written over.
    """
    generated, infra = make(source, out, expect, draft, evidence, evidence_conn)
    finish(
        {
            "folder": str(infra.folder),
            "digest": infra.digest,
            "plan_digest": infra.plan_digest,
            "approved": infra.approved,
            "folders": list(infra.folders),
            "made": [vars(each) for each in generated.made],
            "untranslated": [vars(each) for each in generated.untranslated],
            "variables": infra.variables,
        },
        text=generated_text(generated, infra),
        as_json=as_json,
    )


@app.command()
def validate(folder: Folder, root: RootName = None, as_json: AsJson = False) -> None:
    """Have terraform validate every root, or one. Exits 1 where something is wrong."""
    problems = {each.name: each.validate() for each in _roots(folder, root, None)}
    finish(
        {"problems": {name: list(found) for name, found in problems.items()}},
        text=validated_text(problems),
        as_json=as_json,
        status=ExitStatus.FAILED if any(problems.values()) else ExitStatus.DONE,
    )


@app.command()
def scan(folder: Folder, as_json: AsJson = False) -> None:
    """Have checkov look at the files, offline. Exits 1 where a check fails that no file explains."""
    from heavylift.infra.folder import read
    from heavylift.infra.scanning import scan as look

    found = look(read(folder).folder)
    finish(
        {"passed": found.passed, "skipped": found.skipped, "failed": [vars(each) for each in found.failed]},
        text=scanned_text(found),
        as_json=as_json,
        status=ExitStatus.FAILED if found.failed else ExitStatus.DONE,
    )


@app.command()
def plan(folder: Folder, root: RootName = None, conn: Conn = None, as_json: AsJson = False) -> None:
    """Show what terraform would do, with the digest that approves it. Nothing is changed.

    Without --root: of the first root that has something to do.
    """
    found = _first_with_changes(_roots(folder, root, conn), destroy=False)
    _finish_plan(found, as_json)


@app.command()
def apply(
    folder: Folder,
    approve: Approve = None,
    root: RootName = None,
    conn: Conn = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Apply the plan whose digest is given, then prove by a second plan that nothing is left to do.

    Another plan than the approved one is refused. What failed midway is kept: plan and apply again.
    """
    chosen, digest = _chosen(folder, approve, root, conn, destroy=False)
    _carry_out(chosen, digest, (evidence, evidence_conn), as_json, destroy=False)


@app.command()
def destroy(
    folder: Folder,
    approve: Approve = None,
    root: RootName = None,
    conn: Conn = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Without --approve: plan the end of the last root that has something. With it: carry that out.

    Run it until nothing is left. What holds data is kept where ``protect`` is true.
    """
    if approve is None:
        found = _first_with_changes(list(reversed(_roots(folder, root, conn))), destroy=True)
        _finish_plan(found, as_json)
    chosen, digest = _chosen(folder, approve, root, conn, destroy=True)
    _carry_out(chosen, digest, (evidence, evidence_conn), as_json, destroy=True)


@app.command()
def drift(folder: Folder, root: RootName = None, conn: Conn = None, as_json: AsJson = False) -> None:
    """Tell what differs between files, state and platform, in all roots that were applied. Changes nothing.

    Exits 1 where something has drifted.
    """
    applied = [each for each in _roots(folder, root, conn) if _was_applied(each)]
    found = [each.drift() for each in applied]
    drifted = any(not each.empty or each.drifted for each in found)
    finish(
        {"roots": [_plan_json(each) for each in found]},
        text=drift_text(found),
        as_json=as_json,
        status=ExitStatus.FAILED if drifted else ExitStatus.DONE,
    )


def _carry_out(
    chosen: Root, digest: str, where: tuple[str | None, str | None], as_json: bool, *, destroy: bool
) -> None:
    from heavylift.cli.infra_acts import noted

    note(f"{'destroying' if destroy else 'applying'} {chosen.name}")
    done = noted(lambda: chosen.apply(digest, destroy=destroy), chosen, digest, where, destroy=destroy)
    finish({"applied": vars(done)}, text=applied_text(done), as_json=as_json)


def _chosen(
    folder: Path, approve: str | None, root: str | None, conn: str | None, *, destroy: bool
) -> tuple[Root, str]:
    """Return the root that the approved digest is of."""
    from heavylift.errors import SpecError
    from heavylift.infra.roots import SAVED, SAVED_DESTROY

    waiting = [
        each
        for each in _roots(folder, root, conn)
        if (each.folder / (SAVED_DESTROY if destroy else SAVED)).exists()
    ]
    if approve is None or (not waiting and root is None):
        raise SpecError(
            "reading the command line",
            got="no digest to approve" if approve is None else "no root with a plan",
            expected="--approve DIGEST, of a plan that 'heavylift infra plan' has shown",
            state="nothing was touched",
            remedy="plan first, look at the plan, then name its digest",
            code="7918",
        )
    mark_touched()
    # Whatever root the digest is of; with none it is the first that refuses.
    fitting = [each for each in waiting if each.saved(destroy=destroy).digest == approve]
    return (fitting or waiting or _roots(folder, root, conn))[0], approve


def _first_with_changes(roots: list[Root], *, destroy: bool) -> Planned | None:
    found = None
    for each in roots:
        if destroy and not _was_applied(each):
            continue
        found = each.plan(destroy=destroy)
        if not found.empty or found.outputs:
            return found
    return found


def _was_applied(root: Root) -> bool:
    root.prepare()
    return bool(root.resources())


def _finish_plan(found: Planned | None, as_json: bool) -> None:
    finish(
        {"plan": _plan_json(found) if found else None},
        text=planned_text(found),
        as_json=as_json,
    )


def _plan_json(planned: Planned) -> dict[str, Any]:
    return {
        "root": planned.root,
        "digest": planned.digest,
        "destroy": planned.destroy,
        "empty": planned.empty,
        "outputs": planned.outputs,
        "counts": planned.counts,
        "changes": [vars(each) for each in planned.changes],
        "drifted": [vars(each) for each in planned.drifted],
    }


def _roots(folder: Path, name: str | None, conn: str | None) -> list[Root]:
    from heavylift.connections import connection_from_env
    from heavylift.infra.credentials import credentials_of
    from heavylift.infra.folder import read
    from heavylift.infra.roots import root_of, roots_of
    from heavylift.infra.terraform import find_terraform

    infra = read(folder)
    connection = connection_from_env(conn) if conn else None
    terraform = find_terraform(credentials_of(infra.target, connection))
    return [root_of(infra, name, terraform)] if name else roots_of(infra, terraform)
