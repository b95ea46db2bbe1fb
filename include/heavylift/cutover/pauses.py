"""Pauses of writes whose switch has died: seen from another process, and ended there.

A switch that lives ends its pause itself, within the budget. One that was killed between freezing one side
and opening the other leaves nobody able to write, for as long as nobody comes. Whoever watches needs no word
of the switch: that nobody can write is read from the databases, and for how long is the watcher's own clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from heavylift.cutover.api import SwitchRequest, silent, start_schedules, switch_writes
from heavylift.cutover.journal import Tell
from heavylift.cutover.ports import Side
from heavylift.cutover.switch import LATE_FORWARD_SECONDS
from heavylift.cutover.world import World, observe
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.switch_records import SwitchRecord

GRACE_SECONDS = 10.0
"""Beyond the budget: within it a switch that lives has let writes go on."""


@dataclass
class PauseWatch:
    """For how long nobody could write in one attempt at switching, as one watcher has seen it.

    :param allowed: seconds; the spec's ``max_write_pause``.
    :param clock: seconds, rising.
    """

    allowed: float
    clock: Callable[[], float] = time.monotonic
    _since: float | None = field(default=None, init=False)
    _epoch: int = field(default=0, init=False)

    def seconds(self, world: World) -> float:
        """Count a look at the world; return for how long nobody could write, 0 where somebody can."""
        if not any(stand.between for stand in world.databases.values()):
            self._since = None
            return 0.0
        now = self.clock()
        if self._since is None or world.epoch > self._epoch:
            # A later attempt is at it, and ends the pause itself if it lives.
            self._since, self._epoch = now, world.epoch
        return now - self._since

    def is_over(self, world: World) -> bool:
        """Tell whether that is longer than a switch that lives would need."""
        late = any(not stand.between for stand in world.databases.values())
        allowed = max(self.allowed, LATE_FORWARD_SECONDS) if late else self.allowed
        return self.seconds(world) > allowed + GRACE_SECONDS


async def end_if_over(
    request: SwitchRequest, watch: PauseWatch, tell: Tell = silent
) -> tuple[SwitchRecord, EvidenceRef] | None:
    """Look once, and end a pause of the request's run as :func:`end_pause` does; None where nothing is to do.

    A watcher acts only where nobody could write for longer than a switch that lives would need, and while
    its own run holds the turn: whoever took a later one has a watcher of its own. Idempotent.

    :raises SwitchFailedError: something does not answer; it can be tried again.
    :raises ConflictError: a later turn has begun meanwhile (codes 8701, 8703).
    """
    if not watch.is_over(await observe(request.parts)):
        return None
    last = await request.turns.latest()
    if last is None or last.run != request.run:
        return None
    return await end_pause(request, tell)


async def end_pause(request: SwitchRequest, tell: Tell = silent) -> tuple[SwitchRecord, EvidenceRef] | None:
    """Let writes go on where the attempt that holds the turn has left them; None where nobody is kept back.

    They go on at the side that was written to last, which has everything; where one database was opened at
    the turn's goal already, the others follow it there. The turn stays its run's, with a higher epoch: should
    the attempt wake it changes nothing, and a retry may go on. Requests stay where they are. Idempotent.

    :raises SwitchFailedError: something does not answer; it can be tried again.
    :raises ConflictError: a later turn has begun meanwhile (codes 8701, 8703).
    """
    world, last = await observe(request.parts), await request.turns.latest()
    stands = world.databases.values()
    if last is None or not any(stand.between for stand in stands):
        return None
    goal = Side(last.goal)
    opened = any(stand.last_open is goal and not stand.between for stand in stands)
    side = goal if opened else goal.other
    of_turn = replace(request, run=last.run)
    record, ref = await switch_writes(of_turn, side, tell, turn_for=goal)
    await start_schedules(of_turn, goal, side, tell)
    return record, ref
