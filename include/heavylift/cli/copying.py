"""Copying all shards of a plan from a shell: by several processes, within the hours, with progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from heavylift.cli.output import note
from heavylift.cli.processes import Piece, all_of, may_fork, usable_processors
from heavylift.cli.progress import Display, progress_display
from heavylift.cli.room import Room
from heavylift.errors import HeavyliftError, WindowClosedError
from heavylift.evidence.records import PlanRecord, ShardResult, ShardSummary, utc_now
from heavylift.objects.progress_text import human_duration

if TYPE_CHECKING:
    from heavylift.objects.requests import TransferRequest

MEMORY_OF_ONE = 64 * 2**20
"""Of the budget, what a process needs to keep several parts of a large object in flight."""
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


def processes_for(request: TransferRequest, wanted: int | None = None) -> int:
    """Return how many processes may copy at once: by processors, and by the memory that each needs.

    :param wanted: what the user says instead.
    """
    if wanted is not None:
        return wanted if may_fork() else 1
    by_memory = request.options.limits.memory_budget // MEMORY_OF_ONE
    return max(1, min(usable_processors(), by_memory))


def room_for(request: TransferRequest, wanted: int | None = None) -> Room | None:
    """Return what holds processes back that would find no processor; None where all are to run at once.

    They are where the user has said how many, and where a cap is shared by them: the shares of those that
    wait would lie idle.
    """
    limits = request.options.limits
    capped = limits.max_bandwidth is not None or limits.max_requests is not None
    return None if capped or wanted is not None else Room()


def spread_over(request: TransferRequest, processes: int) -> TransferRequest:
    """Return the request with its caps shared by so many processes, and a plan that has work for each."""
    options = replace(request.options, tasks_at_once=processes, fewest_shards=processes)
    return replace(request, options=options)


def copy_shards(
    request: TransferRequest, plan: PlanRecord, *, wait: bool, room: Room | None = None
) -> Copied:
    """Copy every shard of ``plan``, as many at once as the request has tasks.

    :param wait: where the time window is closed, wait for it; otherwise stop and tell.
    :param room: where it is given, of those as many as find a processor.
    """
    copied = Copied()
    todo = list(plan.shards)
    while todo:
        at_once = min(request.options.tasks_at_once, len(todo))
        with progress_display(plan) as display:
            closed = _copy_some(_shared(request, at_once), todo, at_once, copied, display, room)
        todo = [shard for shard, _ in closed]
        if todo:
            first = min((error for _, error in closed), key=lambda error: error.opens_at)
            if not wait:
                copied.closed = first
                break
            wait_until(datetime.fromisoformat(first.opens_at))
    return copied


def _shared(request: TransferRequest, processes: int) -> TransferRequest:
    """Return what one of so many processes is asked to do: its share of memory and concurrency."""
    limits = request.options.limits
    share = limits.model_copy(
        update={
            "memory_budget": limits.memory_budget // processes,
            "max_concurrency": -(-limits.max_concurrency // processes),
        }
    )
    return replace(request, options=replace(request.options, limits=share))


def _copy_some(
    request: TransferRequest,
    shards: Sequence[ShardSummary],
    at_once: int,
    copied: Copied,
    display: Display,
    room: Room | None,
) -> list[tuple[ShardSummary, WindowClosedError]]:
    """Copy shards; return those that the time window has left undone, and why."""
    from heavylift.aio import run
    from heavylift.objects.api import copy_shard

    def piece(index: int) -> Piece[ShardResult]:
        return lambda tell: run(copy_shard(request, index, 1, tell))

    by_index = {shard.index: shard for shard in shards}
    pieces = [(shard.index, piece(shard.index), display.of_shard(shard)) for shard in shards]
    closed = []
    # An interrupt or a defect of one piece must end the others in order, not whenever they are collected.
    with closing(all_of(pieces, at_once, room)) as ends:
        for index, ended in ends:
            try:
                copied.results.append(ended.value())
            except WindowClosedError as error:
                closed.append((by_index[index], error))
            except HeavyliftError as error:
                note(str(error))
                copied.errors.append(error)
    return closed


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
