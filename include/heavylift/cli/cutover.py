"""``heavylift cutover``: switch a live workload to the target, and back."""

from __future__ import annotations

import typer

from heavylift.cli import cutover_analyse, cutover_drill, cutover_run, cutover_traffic

app = typer.Typer(no_args_is_help=True)
app.add_typer(cutover_traffic.app, name="traffic", help="Who answers live requests.")
app.command("status")(cutover_run.status_command)
app.command("ready")(cutover_run.ready_command)
app.command("rehearse")(cutover_run.rehearse_command)
app.command("drill")(cutover_drill.drill_command)
app.command("run")(cutover_run.run_command)
app.command("rollback")(cutover_run.rollback_command)
app.command("losses")(cutover_run.losses_command)
app.command("finalise")(cutover_run.finalise_command)
app.command("analyse")(cutover_analyse.analyse)
