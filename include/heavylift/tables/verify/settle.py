"""Differences between two sides that are written to: looked at again until they hold, or go away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from heavylift.tables.verify.merge import Found, classify
from heavylift.tables.verify.plan import Key, Plan
from heavylift.tables.verify.side import Side, States

BATCH_KEYS = 1_000
"""Keys looked up in one statement."""
KEYLESS_BATCH = 100_000
"""Digests looked up in one statement: each reads the whole table."""


@dataclass(frozen=True)
class Settling:
    """How differences are settled.

    :param wait_until_applied: returns once the target has all that the source had when it was called.
    :param rounds: a row that changes in each of these is unsettled.
    """

    wait_until_applied: Callable[[], None]
    rounds: int = 5


@dataclass(frozen=True)
class Settled:
    """What became of one row: a difference that held, or None that it is equal, or unsettled."""

    key: Key
    found: tuple[Found, ...] = ()
    unsettled: bool = False


def settle(plan: Plan, keys: Iterable[Key], source: Side, target: Side, how: Settling) -> Iterator[Settled]:
    """Yield what became of each row; memory is that of one batch."""
    stream = iter(keys)
    while batch := list(islice(stream, BATCH_KEYS if plan.key else KEYLESS_BATCH)):
        yield from _settle_batch(plan, batch, source, target, how)


@dataclass(frozen=True)
class _Seen:
    """A row in one round: the source before the wait, the target after it, then the source again."""

    before: Counter[int]
    target: Counter[int]
    after: Counter[int]

    @property
    def agrees(self) -> bool:
        return self.target in (self.before, self.after)

    @property
    def held(self) -> bool:
        return self.before == self.after


def _settle_batch(
    plan: Plan, batch: list[Key], source: Side, target: Side, how: Settling
) -> Iterator[Settled]:
    open_keys = list(dict.fromkeys(batch))
    last: dict[Key, _Seen] = {}
    for _ in range(how.rounds):
        seen = _look(plan, open_keys, source, target, how)
        still = []
        for key, row in seen.items():
            if row.agrees:
                yield Settled(key)
            elif row.held and last.get(key) == row:
                # Twice, with a wait between: a row that went there and back could look like it once.
                yield Settled(key, tuple(classify(key, row.before, row.target, keyed=bool(plan.key))))
            else:
                still.append(key)
        open_keys, last = still, seen
        if not open_keys:
            return
    for key in open_keys:
        yield Settled(key, unsettled=True)


def _look(plan: Plan, keys: list[Key], source: Side, target: Side, how: Settling) -> dict[Key, _Seen]:
    before = source.states(plan, keys)
    how.wait_until_applied()
    theirs = target.states(plan, keys)
    after = source.states(plan, keys)
    return {key: _Seen(_of(before, key), _of(theirs, key), _of(after, key)) for key in keys}


def _of(states: States, key: Key) -> Counter[int]:
    return states.get(key, Counter())
