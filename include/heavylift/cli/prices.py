"""``heavylift prices``: today's prices by the platforms' own lists, as tables that a spec can name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heavylift.cli.output import finish
from heavylift.cli.stores import AsJson
from heavylift.connections import connection_from_env
from heavylift.errors import SpecError

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Read today's prices for the tables of a plan."""


@app.command("refresh")
def refresh(
    platform: Annotated[str, typer.Option(help="aws, gcp or azure")],
    region: Annotated[str, typer.Option(help="whose prices, as the platform writes it")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="where the tables go; others' rows stay")],
    conn: Annotated[
        str | None, typer.Option(metavar="ID", help="connection of the platform; Azure's list wants none")
    ] = None,
    max_requests: Annotated[float, typer.Option(min=0.1, help="a second, at most")] = 10.0,
    as_json: AsJson = False,
) -> None:
    """Read the price list of a platform, and write dated tables with their source.

    A plan uses them where the spec names the folder (assess.facts), or with --facts. What can't be found in
    the list without doubt keeps its price, and says so in its row. Changes nothing on the platform.
    """
    from heavylift.aio import run
    from heavylift.pricing.api import PLATFORMS, RefreshRequest, refresh_prices

    if platform not in PLATFORMS:
        raise SpecError(
            "reading --platform",
            got=repr(platform),
            expected=", ".join(PLATFORMS),
            state="nothing was asked",
            remedy="correct --platform",
            code="9423",
        )
    connection = connection_from_env(conn) if conn else None
    made = run(refresh_prices(RefreshRequest(platform, region, out, connection, max_requests)))
    kept = [
        f"  kept: {table}: {name}: {why}" for table, rows in made.kept.items() for name, why in rows.items()
    ]
    text = [made.line, *kept, f"written to {out}; name it in the spec (assess.facts) to have plans use it"]
    finish({"prices": made.document(), "folder": str(out)}, text="\n".join(text), as_json=as_json)
