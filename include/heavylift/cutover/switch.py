"""Moving an application's writes from one side to the other: frozen, drained, proved equal, opened there.

The same function leads to either side, from wherever the world is found, so that a switch, its return and a
rollback have one logic. At no moment do both sides of a database take writes. Until the first database is
opened on the side that is the goal, every failure leads back to where writes were; from then on it leads
forward, because what is written there already must not be left behind.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from heavylift.cutover.journal import Journal
from heavylift.cutover.patience import patiently
from heavylift.cutover.ports import DatabasePort, Drained, Side
from heavylift.cutover.world import (
    Parts,
    World,
    observe,
    of_each,
    percent_for,
    stands_of,
    together,
)
from heavylift.errors import (
    ConflictError,
    IncompleteError,
    IntegrityError,
    PermanentError,
    TransientError,
)
from heavylift.evidence.switch_records import DatabaseProof

Outcome = Literal["switched", "already", "returned", "between"]

LATE_FORWARD_SECONDS = 60.0
"""Once a side has been opened, how long the others may take: there is no way back that loses nothing."""


@dataclass(frozen=True)
class Terms:
    """What a switch must keep to.

    :param max_write_pause: seconds for which writes may be kept back; longer, and they go on where they were.
    :param freeze_within: seconds to wait for transactions that are under way before freezing gives up.
    """

    epoch: int
    max_write_pause: float
    freeze_within: float = 2.0


@dataclass
class Switch:
    """One attempt at moving all writes to ``goal``."""

    parts: Parts
    goal: Side
    terms: Terms
    journal: Journal
    outcome: Outcome = field(default="between", init=False)
    _opening: bool = field(default=False, init=False)

    async def run(self, world: World) -> None:
        """Move everything that is not there yet.

        :param world: as it was observed just before.
        :raises PermanentError: both sides take writes, and both have a past; nothing was touched.
        :raises IncompleteError: it would have paused writes for too long; they go on where they were.
        :raises IntegrityError: the sides differ; writes go on where they were.
        :raises TransientError: it is half done, or a server does not answer; a second run goes on.
        """
        away = [each for each in self.parts.databases if not world.databases[each.name].is_at(self.goal)]
        if not away:
            await self._confirm()
            return
        # Until somebody's writes are kept back, a failure leaves them where they are.
        kept_back = any(world.databases[each.name].between for each in away)
        self.outcome = "between" if kept_back else "returned"
        await self._shut_goal(world, away)
        behind = [each for each in away if world.databases[each.name].last_open is not self.goal]
        settled = len(behind) < len(self.parts.databases)
        await self._catch_up(world, behind)
        self.outcome = "between"
        try:
            await self._pass_over(away, self._seconds_allowed(settled=settled))
        except BaseException as error:
            if not _is_over(error):
                await asyncio.shield(self._let_go_on(behind, settled=settled))
            raise
        self.outcome = "switched"

    async def _confirm(self) -> None:
        """Hold fast what is so: an act of an earlier turn that wakes later finds a higher epoch."""
        with self.journal.step("confirm", f"the {self.goal}"):
            await of_each(self.parts.databases, lambda each: self._freeze(each, self.goal.other))
            await of_each(self.parts.databases, lambda each: each.unfreeze(self.goal, epoch=self.terms.epoch))
        await self._lead_writers(self.goal)
        self.outcome = "already"

    async def _shut_goal(self, world: World, away: list[DatabasePort]) -> None:
        """Let the goal know of this attempt before anybody's writes pause; freeze it where it is still open.

        It is open where it was never switched to: a copy. Frozen already, it must hear of this epoch all the
        same: this attempt may let writes go on where they were, and an earlier one that wakes after that
        must not open the goal.
        """
        torn = [each for each in away if world.databases[each.name].torn]
        for each in torn:
            if world.databases[each.name].last_open is Side.TARGET or await each.flows(Side.SOURCE):
                raise _both_open(each.name)
        shut = [each for each in away if each in torn or not world.databases[each.name].is_open(self.goal)]
        if shut:
            with self.journal.step("freeze", "the unused target" if torn else f"the {self.goal}, still"):
                await of_each(shut, lambda each: self._freeze(each, Side.TARGET if torn else self.goal))

    async def _catch_up(self, world: World, moving: list[DatabasePort]) -> None:
        """Carry over what there is while writes go on, so that little is left for the pause."""
        behind = [each for each in moving if not world.databases[each.name].between]
        if behind:
            with self.journal.step("catch up"):
                await of_each(behind, self._catch_up_one)

    async def _catch_up_one(self, database: DatabasePort) -> None:
        if not await database.flows(self.goal):
            raise no_stream(database.name, self.goal)
        await database.catch_up(self.goal)

    async def _pass_over(self, away: list[DatabasePort], allowed: float) -> None:
        """Make the goal equal to where writes were, and open it."""
        self.journal.freezing()
        try:
            async with asyncio.timeout(allowed):
                await self._freeze_all(self.goal.other)
                # Led to a side that is still frozen, writers wait there: nothing is lost by being early.
                await together(self._make_equal(away, allowed), self._lead_writers(self.goal))
                # Led over while the goal died: as long as nobody has told it to open, writes can go on.
                await of_each(away, lambda each: each.writes(self.goal))
        except TimeoutError as error:
            raise _too_long(self.goal, self.terms.max_write_pause) from error
        if self.journal.paused_seconds > allowed:
            raise _too_long(self.goal, self.terms.max_write_pause)
        self._opening = True
        with self.journal.step("open", f"the {self.goal}"):
            await of_each(away, self._open_goal)
        self.journal.opened()

    async def _open_goal(self, database: DatabasePort) -> None:
        """Open it, and try again while something does not answer: it may be open already.

        A side that has died since it was frozen holds nothing up: everything has arrived, and no later turn
        opens that side before the goal has seen its epoch.
        """

        async def act() -> None:
            try:
                other_is_shut = (await database.writes(self.goal.other)).is_frozen
            except TransientError:
                other_is_shut = True
            await database.unfreeze(self.goal, epoch=self.terms.epoch, other_is_shut=other_is_shut)

        await patiently(act)

    async def _freeze_all(self, side: Side) -> None:
        with self.journal.step("freeze", f"the {side}"):
            # The others, too: an act of an earlier turn must not open what this one holds shut.
            await of_each(self.parts.databases, lambda each: self._freeze(each, side))

    async def _make_equal(self, away: list[DatabasePort], allowed: float) -> None:
        # Only now nobody of an earlier turn can open the other side any more, if only for a moment.
        stands = await stands_of(away)
        moving = [each for each in away if stands[each.name].last_open is not self.goal]
        with self.journal.step("drain", f"to the {self.goal}"):
            await of_each(moving, lambda each: self._drain(each, allowed))
        await together(self._verify_all(moving), self._keep_way_back(moving))

    async def _verify_all(self, moving: list[DatabasePort]) -> None:
        with self.journal.step("verify"):
            await of_each(moving, self._verify)

    async def _keep_way_back(self, moving: list[DatabasePort]) -> None:
        with self.journal.step("prepare", "the way back"):
            await of_each(moving, lambda each: each.prepare_way_back(self.goal))

    async def _freeze(self, database: DatabasePort, side: Side) -> None:
        await database.freeze(side, epoch=self.terms.epoch, within_seconds=self.terms.freeze_within)

    async def _drain(self, database: DatabasePort, allowed: float) -> None:
        if not await database.flows(self.goal):
            raise no_stream(database.name, self.goal)
        left = max(allowed - self.journal.paused_seconds, 0.5)
        drained = await database.drain(self.goal, within_seconds=left)
        if not drained.reached:
            raise _not_drained(database.name, self.goal, drained)
        self.journal.proofs[database.name] = DatabaseProof(database=database.name, position=drained.position)

    async def _verify(self, database: DatabasePort) -> None:
        found = await database.verify(self.goal)
        proof = self.journal.proofs[database.name]
        self.journal.proofs[database.name] = proof.model_copy(
            update={"rows": found.rows, "equal": found.equal, "statement": found.statement}
        )
        if not found.equal:
            raise _differs(database.name, self.goal, found.statement)

    async def _lead_writers(self, side: Side) -> None:
        if self.parts.writers is not None:
            with self.journal.step("lead writers", f"to the {side}"):
                await self.parts.writers.shift(percent_for(side), epoch=self.terms.epoch)

    def _seconds_allowed(self, *, settled: bool) -> float:
        # Where one database is at the goal already, the others have to follow, late or not.
        budget = self.terms.max_write_pause
        return max(budget, LATE_FORWARD_SECONDS) if settled else budget

    async def _let_go_on(self, behind: list[DatabasePort], *, settled: bool) -> None:
        """Let writes go on where they were, unless somebody can write to the goal already.

        The goal is asked only where this attempt may have opened it: before that it was frozen, and it may be
        just what does not answer.
        """
        if settled or (self._opening and (await patiently(self._look)).any_open(self.goal)):
            return
        origin = self.goal.other
        # Side by side: writes must not wait for a route that does not answer.
        opened, led = await asyncio.gather(
            self._open_again(behind, origin), self._lead_back(origin), return_exceptions=True
        )
        for error in (opened, led):
            if error is not None:
                raise error
        self.outcome = "returned"

    async def _look(self) -> World:
        return await observe(self.parts)

    async def _open_again(self, behind: list[DatabasePort], origin: Side) -> None:
        async def act(database: DatabasePort) -> None:
            await patiently(lambda: database.unfreeze(origin, epoch=self.terms.epoch, other_is_shut=True))

        with self.journal.step("open", f"the {origin} again"):
            await of_each(behind, act)
        self.journal.opened()

    async def _lead_back(self, origin: Side) -> None:
        await patiently(lambda: self._lead_writers(origin))


def _is_over(error: BaseException) -> bool:
    """Tell whether somebody else's turn has begun: then it is theirs to say where writes go on."""
    return isinstance(error, ConflictError) and error.code == "8701"


def _both_open(name: str) -> PermanentError:
    return PermanentError(
        f"switching database {name!r}",
        got="writes that both sides take, though it was switched before",
        expected="one side that takes writes",
        state="nothing was touched",
        remedy="find out who opened a side by hand, and which rows were written there; freeze the wrong side"
        " with heavylift tables freeze --side, sync both ways, and switch again",
        retry_safe=False,
        code="8704",
    )


def _too_long(goal: Side, budget: float) -> IncompleteError:
    return IncompleteError(
        f"switching writes to the {goal}",
        got=f"a pause of writes that would have exceeded {budget:g} s",
        expected="every row on the other side, and proved equal, within cutover.max_write_pause",
        state="writes go on where they were",
        remedy="the steps of this record tell what took long: let the sync catch up, allow a longer pause, or"
        " switch at a quieter hour",
        code="8702",
    )


def _not_drained(name: str, to: Side, drained: Drained) -> TransientError:
    return TransientError(
        f"draining database {name!r} to the {to}",
        got=drained.in_the_way or f"position {drained.position}",
        expected="everything that the frozen side has committed",
        state="writes go on where they were, unless they went on at the goal already",
        remedy="see that nobody writes past the fence, and that the lag is small; then try again",
        code="8705",
    )


def no_stream(name: str, goal: Side) -> PermanentError:
    """Return the error of a switch to a side that no stream leads to."""
    return PermanentError(
        f"switching database {name!r} to the {goal}",
        got="no stream of changes that leads there",
        expected="the one that transfer begins, or for the way back the one that a cutover has prepared",
        state="writes go on where they were",
        remedy="to the target: run the phases transfer and sync first; to the source: see"
        " heavylift tables reverse",
        code="8706",
    )


def _differs(name: str, goal: Side, statement: str) -> IntegrityError:
    return IntegrityError(
        f"switching database {name!r} to the {goal}",
        got=statement or "rows that differ",
        expected="the same rows on both sides",
        state="writes go on where they were",
        remedy="heavylift tables verify names the rows; find out who wrote them, mend them, and switch again",
        code="8707",
    )
