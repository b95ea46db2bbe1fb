"""Admission of one client's requests to its store: within the limit, and not faster than the rate."""

from __future__ import annotations

from heavylift.errors import HeavyliftError, TransientError
from heavylift.platforms.limiter import AdaptiveLimit
from heavylift.platforms.overload import asks_for_less, seconds_to_wait
from heavylift.platforms.request_rate import RequestRate

_OVERLOADED = frozenset({429, 503})


class Admission:
    """Each ``enter`` is followed by exactly one ``answered`` or ``failed``.

    A request whose answer is read whole holds its slot until then; one whose body is streamed holds
    it until the store has answered with a status. For a caller may ask something of the same store
    while it reads, and would otherwise wait for itself. Bodies that are streamed are bounded by how
    many objects are copied at once.

    :param limit: None admits any number at once.
    :param rate: None admits any number a second.
    """

    __slots__ = ("_limit", "_rate")

    def __init__(self, limit: AdaptiveLimit | None = None, rate: RequestRate | None = None) -> None:
        self._limit = limit
        self._rate = rate

    def try_enter(self) -> bool:
        """Take the request's turn if it need not wait, as ``enter`` then would."""
        return self._rate is None and (self._limit is None or self._limit.try_enter())

    async def enter(self) -> None:
        """Wait for the request's turn; cancelled, it takes none."""
        limit = self._limit
        if limit is not None and not limit.try_enter():
            await limit.enter()
        if self._rate is not None:
            try:
                await self._rate.take()
            except BaseException:
                if limit is not None:
                    limit.leave_unjudged()
                raise

    def answered(self, status: int, retry_after: str | None = None) -> None:
        """End the request's turn by the status of its answer.

        :param retry_after: the header ``Retry-After``; it counts with 429 and any 5xx.
        """
        if self._limit is None:
            return
        if status < 400:
            self._limit.leave()
            return
        wait = seconds_to_wait(retry_after) if retry_after and (status == 429 or status >= 500) else 0.0
        self._limit.leave(status in _OVERLOADED or wait > 0, wait)

    def failed(self, error: BaseException) -> None:
        """End the turn of a request that got no answer, or was given up."""
        if self._limit is None:
            return
        if not isinstance(error, HeavyliftError):
            self._limit.leave_unjudged()
            return
        wait = seconds_to_wait(error.retry_after) if isinstance(error, TransientError) else 0.0
        self._limit.leave(asks_for_less(error), wait)
