"""Copying all shards of a plan from a shell: one after the other, within the hours, with progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from heavylift.cli.output import note
from heavylift.cli.progress import progress_display
from heavylift.errors import HeavyliftError, WindowClosedError
from heavylift.evidence.records import PlanRecord, ShardResult, utc_now
from heavylift.objects.progress_text import human_duration

if TYPE_CHECKING:
    from heavylift.objects.requests import TransferRequest

_LOOK_AGAIN_SECONDS = 30.0
"""Waiting is done in short pieces: a machine that slept in between is not late by its sleep."""


@dataclass
class Copied:
    """What came of the shards.

    :param closed: where it is set, the window closed and nobody wanted to wait.
    """

    results: list[ShardResult] = field(default_factory=list)
    errors: list[HeavyliftError] = field(default_factory=list)
    closed: WindowClosedError | None = None


def copy_shards(request: TransferRequest, plan: PlanRecord, *, wait: bool) -> Copied:
    """Copy every shard of ``plan``.

    :param wait: where the time window is closed, wait for it; otherwise stop and tell.
    """
    copied = Copied()
    with progress_display(plan) as display:
        for shard in plan.shards:
            _copy_one(request, shard.index, copied, wait=wait, report=display.of_shard(shard))
            if copied.closed is not None:
                break
    return copied


def _copy_one(
    request: TransferRequest, shard: int, copied: Copied, *, wait: bool, report: Callable[[Any], None]
) -> None:
    from heavylift.aio import run
    from heavylift.objects.api import copy_shard

    while True:
        try:
            copied.results.append(run(copy_shard(request, shard, 1, report)))
        except WindowClosedError as closed:
            if not wait:
                copied.closed = closed
                return
            wait_until(datetime.fromisoformat(closed.opens_at))
            continue
        except HeavyliftError as error:
            note(str(error))
            copied.errors.append(error)
        return


def wait_until(
    moment: datetime,
    *,
    clock: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait for the window to open, having said so; Ctrl-C ends it as it ends a copy."""
    left = (moment - clock()).total_seconds()
    if left > 0:
        note(
            f"the time window is closed: waiting {human_duration(left)}, until {moment.isoformat()};"
            " Ctrl-C loses nothing"
        )
    while (left := (moment - clock()).total_seconds()) > 0:
        sleep(min(left, _LOOK_AGAIN_SECONDS))
