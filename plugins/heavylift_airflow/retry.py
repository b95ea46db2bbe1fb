"""Which failures are tried again, and when."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy

from heavylift.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from airflow.sdk import Context

UNKNOWN_RETRIES = 2
"""How often a failure of an unknown kind is tried again; more would only hide a defect."""

# Raised by Airflow where a person or a gate did not answer in time, or a person answered what
# cannot be used: asking again by itself would make a new question of a settled one.
_SETTLED = frozenset(
    {"HITLTimeoutError", "HITLRejectException", "ParamValidationError", "TaskDeferralTimeout"}
)


class HeavyliftRetryPolicy(RetryPolicy):
    """Retries transient errors with growing delays, and permanent ones never.

    Errors of no known kind are retried :data:`UNKNOWN_RETRIES` times. A task whose process was
    killed never gets here: Airflow then retries it up to the task's own ``retries``.

    :param delay_seconds: wait before the first retry; it doubles with each one.
    :param max_delay_seconds: the longest wait, except where the other side asks for longer.
    """

    def __init__(self, delay_seconds: float = 30, max_delay_seconds: float = 600) -> None:
        self.delay_seconds = delay_seconds
        self.max_delay_seconds = max_delay_seconds

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Return what to do about ``exception``, raised in attempt ``try_number`` (from 1)."""
        if isinstance(exception, PermanentError):
            return RetryDecision.fail(f"permanent error [HL-{exception.code}]: a retry cannot mend it")
        if type(exception).__name__ in _SETTLED:
            return RetryDecision.fail("the answer is settled: clear the task to ask again")
        if isinstance(exception, TransientError):
            delay = self._delay(try_number, exception.retry_after)
            return RetryDecision.retry(delay, f"transient error [HL-{exception.code}]")
        if try_number > UNKNOWN_RETRIES:
            return RetryDecision.fail(f"unknown error, {try_number} attempts: see the traceback above")
        return RetryDecision.retry(self._delay(try_number, ""), "unknown error")

    def _delay(self, try_number: int, asked: str) -> timedelta:
        seconds = min(self.max_delay_seconds, self.delay_seconds * 2 ** min(try_number - 1, 30))
        # Mapped copies of one task fail together when a store stumbles; they must not come back together.
        seconds *= random.uniform(0.8, 1.2)  # noqa: S311
        return timedelta(seconds=max(seconds, _asked_seconds(asked)))

    def serialize(self) -> dict[str, Any]:
        """Return plain JSON that tells the policy."""
        return {"delay_seconds": self.delay_seconds, "max_delay_seconds": self.max_delay_seconds}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> HeavyliftRetryPolicy:
        """Rebuild what :meth:`serialize` returned."""
        return cls(**data)


def _asked_seconds(asked: str) -> float:
    """Return the seconds of a ``Retry-After`` header; its date form counts as no wish."""
    return min(float(asked), 3600.0) if asked.isdigit() else 0.0
