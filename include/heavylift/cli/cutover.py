"""``heavylift cutover``: what is done while live traffic moves to the target."""

from __future__ import annotations

import typer

from heavylift.cli.cutover_analyse import analyse

app = typer.Typer(no_args_is_help=True, help="Switch a live workload to the target, and back.")
app.command("analyse")(analyse)
