"""``heavylift tables reverse``: the way back after a cutover."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.cli import tables_run

if TYPE_CHECKING:
    from heavylift.tables.requests import TablesRequest


def reverse(
    request: TablesRequest,
    act: str,
    *,
    within_seconds: float,
    frozen: bool,
    pause_seconds: float | None,
    as_json: bool,
) -> None:
    """Do ``act`` with the way back, and end.

    :param request: of the way there.
    :param pause_seconds: follow, with this pause; None syncs once.
    """
    back = request.reversed()
    if act == "prepare":
        if request.options.dry_run:
            tables_run.dry_run_of_stream(request, as_json=as_json)
        tables_run.prepare_reverse(request, as_json=as_json)
    if act == "status" or request.options.dry_run:
        tables_run.dry_run_of_stream(back, as_json=as_json)
    if act == "verify":
        tables_run.verify(back, frozen=frozen, as_json=as_json)
    if act == "drain":
        tables_run.drain(back, within_seconds=within_seconds, as_json=as_json)
    if act == "end":
        tables_run.end(back, as_json=as_json)
    if pause_seconds is not None:
        tables_run.follow(back, pause_seconds=pause_seconds, as_json=as_json)
    tables_run.sync(back, verify=False, as_json=as_json)
