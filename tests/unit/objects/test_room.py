"""Whether another process would find a processor: by a made account of them, and by Linux' own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence

from heavylift.cli.room import LOOK_EVERY_SECONDS, Look, Room, look


class Account:
    """Processors' account that goes on by one look's time at a time.

    :param idle: processors with nothing to run.
    :param shares: of a processor, what each process takes.
    """

    def __init__(self, idle: float, shares: dict[int, float]) -> None:
        self.now, self.idle, self.shares = 0.0, idle, shares
        self._idle_seconds = 0.0
        self._used = dict.fromkeys(shares, 0.0)

    def __call__(self, pids: Iterable[int]) -> Look:
        self.now += LOOK_EVERY_SECONDS
        self._idle_seconds += self.idle * LOOK_EVERY_SECONDS
        for pid, share in self.shares.items():
            self._used[pid] = self._used.get(pid, 0.0) + share * LOOK_EVERY_SECONDS
        return Look(self.now, self._idle_seconds, {pid: self._used[pid] for pid in pids})


def first_yes(account: Account, pids: Sequence[int] = (1,), looks: int = 100) -> float | None:
    """Return after how many seconds another process would begin, or None."""
    room = Room(account)
    return next((account.now for _ in range(looks) if room.for_another(pids)), None)


def test_nobody_joins_where_stores_on_the_same_machine_take_the_processors() -> None:
    assert first_yes(Account(idle=0.05, shares={1: 0.45})) is None


def test_another_joins_at_once_where_the_first_is_held_up_by_itself_alone() -> None:
    seconds = first_yes(Account(idle=0.0, shares={1: 0.97}))
    assert seconds is not None
    assert seconds < 0.45


def test_another_joins_where_processors_lie_idle_as_behind_a_long_line() -> None:
    seconds = first_yes(Account(idle=1.7, shares={1: 0.1}))
    assert seconds is not None
    assert 2.0 < seconds < 2.4


def test_all_who_run_must_be_busy_and_what_was_before_one_joined_does_not_count() -> None:
    account = Account(idle=0.0, shares={1: 1.0, 2: 0.3})
    room = Room(account)
    assert [room.for_another([1]) for _ in range(4)][-1]
    assert not any(room.for_another([1, 2]) for _ in range(50))
    account.shares[2] = 0.9
    assert [room.for_another([1, 2]) for _ in range(2)] == [False, False]
    assert any(room.for_another([1, 2]) for _ in range(4))


def test_a_short_pause_of_the_stores_is_no_room() -> None:
    account = Account(idle=0.0, shares={1: 0.5})
    room = Room(account)
    for _ in range(10):
        room.for_another([1])
    account.idle = 1.0
    assert not any(room.for_another([1]) for _ in range(9))
    account.idle = 0.0
    assert not any(room.for_another([1]) for _ in range(20))


def test_linux_account_tells_what_a_process_has_used() -> None:
    command = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as busy:
        assert busy.stdout is not None
        busy.stdout.readline()
        first = latest = look([os.getpid(), busy.pid])
        while latest.used[busy.pid] < first.used[busy.pid] + 0.1:
            latest = look([os.getpid(), busy.pid])
        busy.kill()
    assert latest.at - first.at > 0.05
    assert latest.idle >= first.idle
    assert busy.pid not in look([busy.pid]).used
