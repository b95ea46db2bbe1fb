"""``heavylift objects tree``: what changed in a dataset between two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.objects_options import AsJson
from heavylift.cli.output import ExitStatus, finish
from heavylift.cli.stores import Evidence, EvidenceConn, evidence_store

if TYPE_CHECKING:
    from heavylift.objects.changes import Changes

_SHOWN = 20


def tree(
    migration: Annotated[str, typer.Argument(help="The migration.")],
    dataset: Annotated[str, typer.Argument(help="The dataset; heavylift status names them.")],
    run_: Annotated[str, typer.Argument(metavar="RUN", help="A run that has verified the dataset.")],
    other: Annotated[str, typer.Argument(metavar="OTHER_RUN", help="Another one.")],
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs' hash trees and name what changed. Ends with 1 where they differ.

    Reads evidence only.
    """
    from heavylift.aio import run

    found = run(_changes(evidence, evidence_conn, migration, dataset, (run_, other)))
    lines = [
        f"{found.leaves:,} of 4,096 leaves differ; roots {found.roots[0][:16]} and {found.roots[1][:16]}"
    ]
    lines += [f"  {key}" for key in found.keys[:_SHOWN]]
    lines += [f"  and {len(found.keys) - _SHOWN:,} more"] if len(found.keys) > _SHOWN else []
    finish(
        {"roots": found.roots, "leaves": found.leaves, "keys": found.keys},
        text="\n".join(lines),
        as_json=as_json,
        status=ExitStatus.FAILED if found.leaves else ExitStatus.DONE,
    )


async def _changes(
    url: str | None, conn: str | None, migration: str, dataset: str, runs: tuple[str, str]
) -> Changes:
    from heavylift.objects.changes import changes_between

    async with evidence_store(url, conn) as store:
        return await changes_between(store, migration, dataset, runs)
