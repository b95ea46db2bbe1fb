"""Waiting for a subscription, which says nothing of what stops it: the server tries again for ever.

A worker that fails is started anew some seconds later, and looks alive in between. Versions from 15 on count
the failures; before that, one can only see that workers come and go.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heavylift.errors import PermanentError
from heavylift.tables.model import TableName
from heavylift.tables.postgres.state import names
from heavylift.tables.postgres.subscription import SubscriptionState, subscription_state

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

POLL_SECONDS = 0.2
STUCK_SECONDS = 120.0
"""Without any worker for so long a subscription does not run into trouble, it is in it."""
MOST_FAILURES = 3
"""So many failures without any progress between them are no accident; the server waits 5 s after each."""
_COUNTS_FAILURES = 150_000

_WORKERS = """
SELECT coalesce(w.relid, 0)::bigint, w.pid, w.last_msg_receipt_time IS NOT NULL FROM pg_stat_subscription w
JOIN pg_subscription s ON s.oid = w.subid JOIN pg_database d ON d.oid = s.subdbid
WHERE s.subname = %s AND d.datname = current_database() AND w.pid > 0
"""
_FAILURES = """
SELECT f.apply_error_count, f.sync_error_count FROM pg_stat_subscription_stats f
JOIN pg_subscription s ON s.oid = f.subid JOIN pg_database d ON d.oid = s.subdbid
WHERE s.subname = %s AND d.datname = current_database()
"""
_UNFINISHED = """
SELECT n.nspname, c.relname FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
JOIN pg_database d ON d.oid = s.subdbid JOIN pg_class c ON c.oid = r.srrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE s.subname = %s AND d.datname = current_database() AND r.srsubstate <> 'r' ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Worker:
    """A worker of a subscription.

    :param table: which it copies; 0 for the one that applies.
    :param heard: the source has answered it.
    """

    table: int
    process: int
    heard: bool


@dataclass(frozen=True)
class Seen:
    """A subscription at one moment.

    :param failures: of applying and of copying, since it exists; None where this version counts none.
    :param progress: how far it is; anything that changes when it gets on.
    """

    state: SubscriptionState | None
    failures: tuple[int, int] | None
    workers: tuple[Worker, ...]
    progress: object


@dataclass
class Watch:
    """Judges by what is seen whether a subscription gets on, or only tries.

    A network that is cut is waited for: copying has failed by itself only where the worker that applies still
    hears from the source, and applying only where it had heard.
    """

    _progress: object = None
    _failures: tuple[int, int] | None = None
    _tried: dict[int, set[int]] = field(default_factory=dict)
    _alive: float | None = None

    def judge(self, seen: Seen, now: float) -> str:
        """Return what is wrong; nothing as long as there is hope."""
        if seen.state is None:
            return "no subscription"
        if not seen.state.enabled:
            return "a disabled one"
        if self._alive is None or seen.progress != self._progress:
            self._progress, self._failures, self._tried, self._alive = seen.progress, seen.failures, {}, now
        if seen.workers:
            self._alive = now
        failed = self._failed(seen)
        if failed >= MOST_FAILURES:
            return f"{failed} failures of its workers, and no progress between them"
        return "no worker of it" if now - self._alive > STUCK_SECONDS else ""

    def _failed(self, seen: Seen) -> int:
        """Return how often the same work has failed since there was progress."""
        connected = any(each.heard and not each.table for each in seen.workers)
        if seen.failures is not None:
            applying, copying = self._failures or seen.failures
            return max(seen.failures[0] - applying, (seen.failures[1] - copying) if connected else 0)
        # Another process for the same work means that the one before has failed.
        for each in seen.workers:
            if each.heard or (each.table and connected):
                self._tried.setdefault(each.table, set()).add(each.process)
        return max(map(len, self._tried.values()), default=1) - 1


def wait_until(
    done: Callable[[], bool],
    target: Session,
    name: str,
    *,
    progress: Callable[[], object],
    check: Callable[[], None],
    within_seconds: float | None = None,
) -> bool:
    """Wait until ``done``; tell whether it came in time.

    :param progress: how far it is; anything that changes when it gets on.
    :param check: called again and again; leaves by raising.
    :raises PermanentError: the subscription's workers do not run, or fail again and again.
    """
    began, watch = time.monotonic(), Watch()
    while not done():
        check()
        wrong = watch.judge(look(target, name, progress()), time.monotonic())
        if wrong:
            raise _stuck(target, name, wrong)
        if within_seconds is not None and time.monotonic() - began > within_seconds:
            return False
        time.sleep(POLL_SECONDS)
    return True


def look(target: Session, name: str, progress: object) -> Seen:
    """Return how a subscription stands now."""
    workers = target.execute(_WORKERS, [name]).fetchall()
    failures = None
    if target.info.server_version >= _COUNTS_FAILURES:
        row = target.execute(_FAILURES, [name]).fetchone()
        failures = (int(row[0]), int(row[1])) if row else (0, 0)
    state = subscription_state(target, name)
    return Seen(state, failures, tuple(Worker(*row) for row in workers), progress)


def _stuck(target: Session, name: str, got: str) -> PermanentError:
    left = [TableName(row[0], row[1]) for row in target.execute(_UNFINISHED, [name]).fetchall()]
    what = f"copying {names(left)} by subscription {name}" if left else f"following subscription {name}"
    return PermanentError(
        what,
        got=got,
        expected="a subscription whose workers run and get on",
        state="what PostgreSQL has copied and applied stays; it goes on trying, and the slot keeps the rest"
        " on the source",
        remedy="read the target server's log (SELECT pg_current_logfile()): it says why its workers end,"
        " such as a constraint or trigger of the target, a row that is there already, a missing column or"
        " right, a refused login; mend that, ALTER SUBSCRIPTION … ENABLE where it is disabled, then run this"
        " again",
        code="6600",
    )
