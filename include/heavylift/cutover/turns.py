"""Whose turn it is to switch: a fencing token that rises with each cutover and rollback.

A turn is a file that can be created once (the evidence store never overwrites), so of two that want the same
epoch one gets it. A run that asks again gets its own turn back as long as nobody has taken a later one.
"""

from __future__ import annotations

from dataclasses import dataclass

from heavylift.cutover.ports import Side
from heavylift.errors import AlreadyExistsError, ConflictError
from heavylift.evidence.numbered import latest_number
from heavylift.evidence.paths import original_text
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.switch_records import TurnRecord, turn_path
from heavylift.fencing import superseded


@dataclass(frozen=True)
class Turns:
    """The turns of one migration."""

    store: EvidenceStore
    migration: str

    async def latest(self) -> TurnRecord | None:
        """Return the turn that holds now, or None; changes nothing.

        :raises AuditError: it is damaged.
        """
        number = await latest_number(self.store, self._path)
        return await self.store.read_record(self._path(number), TurnRecord) if number else None

    async def take(
        self, run: RunKey, goal: Side, actor: str, *, seen: int = 0, fresh: bool = False
    ) -> TurnRecord:
        """Begin a turn of ``run``, which ends whatever turn there was; its own with this goal goes on.

        :param seen: the highest epoch that anything to be switched has seen: it may be higher than all turns
            where the evidence store is a new one.
        :param fresh: begin another one even then: each attempt at switching writes has an epoch of its own,
            so that of one that hangs and the next only one acts, and never two sides open in one epoch.
        :raises ConflictError: a turn of this run with this goal was taken before, and another followed it:
            a task that was cleared long after must not switch again.
        """
        while True:
            last = await self.latest()
            own = last is not None and (last.run, last.goal) == (run, goal.value)
            if own and last is not None and not fresh:
                return last
            if last is not None and not own and await self._had_turn(run, goal, last.number):
                raise _over(run, last)
            taken = TurnRecord(
                migration=self.migration,
                number=last.number + 1 if last else 1,
                epoch=max(last.epoch if last else 0, seen) + 1,
                goal=goal.value,
                run=run,
                actor=actor,
            )
            try:
                await self.store.write_json(self._path(taken.number), taken)
            except AlreadyExistsError:
                continue
            return taken

    async def has_had(self, run: RunKey, goal: Side) -> bool:
        """Tell whether ``run`` ever took a turn with this goal; changes nothing."""
        last = await self.latest()
        return last is not None and await self._had_turn(run, goal, last.number)

    async def demand(self, turn: TurnRecord) -> None:
        """Demand that ``turn`` is still the latest.

        :raises ConflictError: it is not (code 8701).
        """
        last = await self.latest()
        if last is not None and last.number > turn.number:
            raise superseded(f"switching {self.migration} to the {turn.goal}", last.epoch, turn.epoch)

    async def _had_turn(self, run: RunKey, goal: Side, upto: int) -> bool:
        for number in range(upto, 0, -1):
            taken = await self.store.read_record(self._path(number), TurnRecord)
            if (taken.run, taken.goal) == (run, goal.value):
                return True
        return False

    def _path(self, number: int) -> str:
        return turn_path(self.migration, number)


def _over(run: RunKey, last: TurnRecord) -> ConflictError:
    return ConflictError(
        f"taking the turn of run {original_text(run.run) or run.run} of {run.migration}.{run.phase}",
        got=f"turn {last.number}, which {last.actor} took at {last.taken_at:%Y-%m-%d %H:%M:%S} UTC"
        f" for the {last.goal}",
        expected="that nobody has switched since this run's own turn",
        state="nothing was touched",
        remedy="this run is over; trigger the phase anew if the switch is still wanted",
        retry_safe=False,
        code="8703",
    )
