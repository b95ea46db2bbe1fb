"""A subscription that only tries is told from one that gets on, or whose network is cut."""

from __future__ import annotations

import pytest

from heavylift.tables.postgres.subscription import SubscriptionState
from heavylift.tables.postgres.subscription_watch import STUCK_SECONDS, Seen, Watch, Worker

RUNS = SubscriptionState(enabled=True, running=True, tables=2, copied=1)
APPLIES = Worker(0, 10, heard=True)


def seen(
    failures: tuple[int, int] | None, *workers: Worker, progress: object = 1, state: object = RUNS
) -> Seen:
    return Seen(state, failures, workers, progress)  # type: ignore[arg-type]


def judged(*looks: Seen, seconds: float = 1.0) -> str:
    watch = Watch()
    return [watch.judge(each, number * seconds) for number, each in enumerate(looks)][-1]


def test_copies_that_fail_again_and_again_are_told() -> None:
    assert not judged(seen((0, 4), APPLIES), seen((0, 6), APPLIES))
    assert "3 failures" in judged(seen((0, 4), APPLIES), seen((0, 7), APPLIES))


def test_failures_between_which_it_gets_on_are_borne() -> None:
    assert not judged(
        seen((0, 0), APPLIES), seen((0, 3), APPLIES, progress=2), seen((0, 5), APPLIES, progress=2)
    )


def test_a_network_that_is_cut_is_waited_for() -> None:
    deaf = Worker(0, 11, heard=False)
    assert not judged(seen((0, 0), APPLIES), seen((1, 9), deaf), seen((1, 12)))


def test_changes_that_cannot_be_applied_are_told() -> None:
    assert "3 failures" in judged(seen((0, 0), APPLIES), seen((3, 0)))


@pytest.mark.parametrize("copies", [True, False])
def test_without_a_count_workers_that_come_and_go_are_told(*, copies: bool) -> None:
    if copies:
        looks = [seen(None, APPLIES, Worker(77, 20 + number, heard=False)) for number in range(4)]
    else:
        looks = [seen(None, Worker(0, 20 + number, heard=True)) for number in range(4)]
    assert not judged(*looks[:3])
    assert "3 failures" in judged(*looks)


def test_without_a_count_a_network_that_is_cut_is_waited_for() -> None:
    assert not judged(*(seen(None, Worker(0, 20 + number, heard=False)) for number in range(9)))


def test_no_worker_for_long_no_subscription_and_a_disabled_one_are_told() -> None:
    assert judged(seen((0, 0)), seen((0, 0)), seconds=STUCK_SECONDS + 1) == "no worker of it"
    assert not judged(seen((0, 0)), seen((0, 0), APPLIES), seconds=STUCK_SECONDS + 1)
    assert judged(seen((0, 0), state=None)) == "no subscription"
    assert judged(seen((0, 0), state=SubscriptionState(False, False, 1, 0))) == "a disabled one"
