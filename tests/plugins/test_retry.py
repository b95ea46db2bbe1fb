"""The retry policy: what is tried again, when, and what never."""

from __future__ import annotations

import pickle
from datetime import timedelta

import pytest
from airflow.sdk import RetryAction

from heavylift.errors import ConflictError, CredentialError, ThrottledError, TransientError
from heavylift_airflow.retry import UNKNOWN_RETRIES, HeavyliftRetryPolicy

POLICY = HeavyliftRetryPolicy(delay_seconds=10, max_delay_seconds=60)


def delay(error: BaseException, attempt: int) -> float:
    decision = POLICY.evaluate(error, attempt, 5)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay is not None
    return decision.retry_delay.total_seconds()


@pytest.mark.parametrize("error", [ConflictError("copy", code="5002"), CredentialError("listing")])
def test_permanent_errors_fail_at_once(error: Exception) -> None:
    decision = POLICY.evaluate(error, 1, 5)
    assert decision.action is RetryAction.FAIL
    assert decision.reason is not None
    assert "HL-" in decision.reason


def test_transient_errors_wait_longer_each_time_but_not_beyond_the_limit() -> None:
    waits = [delay(TransientError("get"), attempt) for attempt in (1, 2, 3, 9)]
    assert 8 <= waits[0] <= 12
    assert 16 <= waits[1] <= 24
    assert 32 <= waits[2] <= 48
    assert 48 <= waits[3] <= 72


def test_waits_of_tasks_that_fail_together_are_spread() -> None:
    assert len({delay(TransientError("get"), 1) for _ in range(20)}) > 10


def test_the_other_sides_wish_is_honoured_when_it_is_longer() -> None:
    error = ThrottledError("put")
    error.retry_after = "120"
    assert delay(error, 1) == 120
    error.retry_after = "Wed, 21 Oct 2026 07:28:00 GMT"
    assert delay(error, 1) <= 12


def test_unknown_errors_are_tried_a_few_times_only() -> None:
    for attempt in range(1, UNKNOWN_RETRIES + 1):
        assert POLICY.evaluate(ZeroDivisionError(), attempt, 50).action is RetryAction.RETRY
    assert POLICY.evaluate(ZeroDivisionError(), UNKNOWN_RETRIES + 1, 50).action is RetryAction.FAIL


def test_a_time_out_of_an_approval_does_not_ask_again() -> None:
    from airflow.providers.standard.exceptions import HITLTimeoutError

    assert POLICY.evaluate(HITLTimeoutError(), 1, 5).action is RetryAction.FAIL


def test_the_policy_survives_pickling_and_serialising() -> None:
    again = pickle.loads(pickle.dumps(POLICY))
    assert HeavyliftRetryPolicy.deserialize(again.serialize()).serialize() == POLICY.serialize()
    assert again.evaluate(ConflictError("x"), 1, 5).action is RetryAction.FAIL
    assert POLICY.evaluate(TransientError("x"), 1, 5).retry_delay != timedelta()
