"""How many requests one store is asked at once: as many as it answers gladly, no more.

Additive increase, multiplicative decrease, as TCP does it (RFC 5681): from a small start the limit
grows by one with each answer until the store asks for less for the first time; from then on by one
in each round of answers. Every sign of overload halves it, once for all the requests that were on
their way when it came. A wait that the store asks for holds for all requests to it: the others
would only run into the same refusal.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

START = 8
WINDOW_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0
"""A store that asks for more is asked again after this; its answer may then ask for more again."""


class AdaptiveLimit:
    """Admits requests to one store, first come, first served.

    Not for several threads; one event loop at a time. Each ``try_enter`` that said yes, and each
    ``enter`` that returned, must be followed by exactly one ``leave`` or ``leave_unjudged``.

    :param most: never more at once than this.
    :param start: where it begins; :data:`START`, or ``most`` where that is less.
    :param window_seconds: after a halving, further signs of overload count as its echo so long.
    :param clock: monotonic seconds; injected in tests.
    """

    __slots__ = (
        "_clock",
        "_credit",
        "_cut_at",
        "_in_flight",
        "_limit",
        "_most",
        "_open",
        "_paused_until",
        "_throttled",
        "_timer",
        "_waiting",
        "_window",
    )

    def __init__(
        self,
        most: int,
        *,
        start: int | None = None,
        window_seconds: float = WINDOW_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = max(1, most)
        self._limit = max(1, min(self._most, START if start is None else start))
        self._window = window_seconds
        self._clock = clock
        # The limit, or 0 during a pause: one comparison decides on the way that is hot.
        self._open = self._limit
        self._in_flight = 0
        self._credit = 0
        self._throttled = 0
        self._cut_at: float | None = None
        self._paused_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def current(self) -> int:
        """How many requests may be in flight now, a pause left aside."""
        return self._limit

    @property
    def in_flight(self) -> int:
        """How many requests are in flight."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """How many callers wait in :meth:`enter`."""
        return len(self._waiting)

    @property
    def throttled_count(self) -> int:
        """How many answers asked for less load."""
        return self._throttled

    @property
    def pause_seconds(self) -> float:
        """How long nothing is admitted yet, because the store asked to wait."""
        return max(0.0, self._paused_until - self._clock()) if self._open == 0 else 0.0

    def try_enter(self) -> bool:
        """Take a slot if one is free; never waits.

        Slots that waiting callers are owed are not free: those were given to them as they came up.
        """
        if self._in_flight < self._open:
            self._in_flight += 1
            return True
        return False

    async def enter(self) -> None:
        """Take a slot, waiting for it where there is none; a cancelled wait takes none."""
        if self._in_flight < self._open:
            self._in_flight += 1
            return
        if self._open == 0 and self._clock() >= self._paused_until:
            self._end_pause()
            if self.try_enter():
                return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._keep_timer()
        try:
            await turn
        except asyncio.CancelledError:
            self._withdraw(turn)
            raise

    def leave(self, throttled: bool = False, retry_after_seconds: float = 0.0) -> None:
        """Give a slot back, and tell what the store's answer said of its load.

        :param throttled: it asked for less (429, 503 ``SlowDown``), or did not answer in time.
        :param retry_after_seconds: how long it asked to wait; holds for all requests.
        """
        if throttled:
            self._throttled += 1
            self._shrink()
            if retry_after_seconds > 0:
                self._pause(retry_after_seconds)
        # An answer says that one more would be borne only where all slots were in use.
        elif self._limit < self._most and self._in_flight >= self._limit:
            self._grow()
        self._in_flight -= 1
        if self._waiting:
            self._admit()

    def leave_unjudged(self) -> None:
        """Give a slot back where the request was cancelled or never sent: nothing is learnt."""
        self._in_flight -= 1
        if self._waiting:
            self._admit()

    def _grow(self) -> None:
        self._credit += 1
        if self._cut_at is None or self._credit >= self._limit:
            self._credit = 0
            self._limit += 1
            if self._open:
                self._open = self._limit

    def _shrink(self) -> None:
        now = self._clock()
        if self._cut_at is not None and now - self._cut_at < self._window:
            return
        self._cut_at = now
        self._credit = 0
        self._limit = max(1, self._limit // 2)
        if self._open:
            self._open = self._limit

    def _pause(self, seconds: float) -> None:
        until = self._clock() + min(seconds, LONGEST_PAUSE_SECONDS)
        self._paused_until = max(self._paused_until, until)
        self._open = 0
        self._keep_timer()

    def _keep_timer(self) -> None:
        """Make sure that somebody ends the pause where somebody waits for that."""
        if self._open or not self._waiting:
            return
        if self._timer is not None:
            self._timer.cancel()
        left = max(0.0, self._paused_until - self._clock())
        self._timer = asyncio.get_running_loop().call_later(left, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._clock() < self._paused_until:
            self._keep_timer()
        else:
            self._end_pause()

    def _end_pause(self) -> None:
        self._open = self._limit
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._in_flight < self._open:
            turn = self._waiting.popleft()
            if not turn.done():
                self._in_flight += 1
                turn.set_result(None)

    def _withdraw(self, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            self.leave_unjudged()  # the slot came together with the cancellation
        else:
            self._waiting = deque(other for other in self._waiting if other is not turn)
