"""``heavylift cutover``: switch a live workload to the target, and back."""

from __future__ import annotations

import typer

from heavylift.cli import cutover_traffic

app = typer.Typer(no_args_is_help=True)
app.add_typer(cutover_traffic.app, name="traffic", help="Who answers live requests.")
