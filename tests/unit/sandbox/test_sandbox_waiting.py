"""Waiting: the first true answer ends it, a deadline or another thread does so too."""

from __future__ import annotations

import threading

from sandbox.waiting import FIRST_PAUSE, until


class Pauses(threading.Event):
    """An event on which nobody waits in earnest: each wait moves the clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.asked: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.append(timeout or 0.0)
        self.now += timeout or 0.0
        return self.is_set()

    def clock(self) -> float:
        return self.now


def test_the_first_true_answer_ends_it() -> None:
    answers = iter([0, 0, 7, 8])
    pauses = Pauses()
    assert until(lambda: next(answers), seconds=60, stopped=pauses, clock=pauses.clock) == 7
    assert len(pauses.asked) == 2


def test_pauses_grow_up_to_the_longest_and_end_with_the_deadline() -> None:
    pauses = Pauses()
    assert until(lambda: None, seconds=10, longest=2, stopped=pauses, clock=pauses.clock) is None
    assert pauses.asked[0] == FIRST_PAUSE
    assert pauses.asked[:-1] == sorted(pauses.asked[:-1])
    assert max(pauses.asked) == 2
    assert round(sum(pauses.asked), 6) == 10


def test_what_comes_at_the_very_end_still_counts() -> None:
    pauses = Pauses()
    assert until(lambda: pauses.now >= 5, seconds=5, stopped=pauses, clock=pauses.clock)


def test_another_thread_can_end_it() -> None:
    stopped = threading.Event()
    stopped.set()
    assert until(lambda: None, seconds=600, stopped=stopped) is None
