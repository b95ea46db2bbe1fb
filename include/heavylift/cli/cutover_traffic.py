"""``heavylift cutover traffic``: show and shift who answers live requests."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from heavylift.cli.output import finish, mark_touched
from heavylift.cli.stores import AsJson
from heavylift.cutover.ports import Split
from heavylift.spec.sections_platform import TrafficAdapter

app = typer.Typer(no_args_is_help=True, help="Show and shift who answers live requests.")

TrafficConn = Annotated[
    str, typer.Option("--traffic-conn", metavar="ID", help="Connection of what splits the traffic.")
]
Adapter = Annotated[TrafficAdapter, typer.Option("--adapter", help="What splits it.")]


@app.command()
def show(
    traffic_conn: TrafficConn,
    adapter: Adapter = TrafficAdapter.ENVOY,
    as_json: AsJson = False,
) -> None:
    """Show the split that is in force, as its own control plane tells it. Changes nothing."""
    from heavylift.aio import run

    split = run(_read(traffic_conn, adapter))
    finish({"split": described(split)}, text=text_of(split), as_json=as_json)


@app.command()
def shift(
    traffic_conn: TrafficConn,
    target_percent: Annotated[
        int, typer.Option("--target-percent", min=0, max=100, help="Share that the target answers.")
    ],
    epoch: Annotated[
        int,
        typer.Option("--epoch", min=1, help="Of the switch that this belongs to; a lower one is refused."),
    ],
    adapter: Adapter = TrafficAdapter.ENVOY,
    mirror_percent: Annotated[
        int,
        typer.Option(
            "--mirror-percent", min=0, max=100, help="Of what the source answers, sent to the target as well."
        ),
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what is in force; shift nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the split so, and end once it is in force. Safe to run again after any end."""
    from heavylift.aio import run

    now = run(_read(traffic_conn, adapter))
    wanted = Split(target_percent, mirror_percent, epoch)
    if dry_run:
        document = {"split": described(now), "planned": described(wanted)}
        finish(document, text=f"{text_of(now)}\nWould become: {_words(wanted)}", as_json=as_json)
    mark_touched()
    made = run(_shift(traffic_conn, adapter, wanted))
    finish({"before": described(now), "split": described(made)}, text=text_of(made), as_json=as_json)


async def _read(conn_id: str, adapter: TrafficAdapter) -> Split:
    from heavylift.connections import connection_from_env
    from heavylift.cutover.traffic.opening import open_traffic

    async with open_traffic(adapter, connection_from_env(conn_id)) as port:
        return await port.read()


async def _shift(conn_id: str, adapter: TrafficAdapter, wanted: Split) -> Split:
    from heavylift.connections import connection_from_env
    from heavylift.cutover.traffic.opening import open_traffic

    async with open_traffic(adapter, connection_from_env(conn_id)) as port:
        return await port.shift(
            wanted.target_percent, mirror_percent=wanted.mirror_percent, epoch=wanted.epoch
        )


def described(split: Split) -> dict[str, Any]:
    """Return a split as plain JSON."""
    return {
        "target_percent": split.target_percent,
        "mirror_percent": split.mirror_percent,
        "epoch": split.epoch,
        "detail": dict(split.detail),
    }


def text_of(split: Split) -> str:
    """Return a split as lines for people."""
    lines = [f"In force: {_words(split)}"]
    return "\n".join([*lines, *(f"  {name}: {value}" for name, value in sorted(split.detail.items()))])


def _words(split: Split) -> str:
    from heavylift.cutover.traffic.faults import wording

    return wording(split)
