"""Tells how far a copy has come: in the task's log and in Airflow's metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.objects.api import Progress

LOG_EVERY_SECONDS = 5.0


Store = Callable[[str, dict[str, Any]], None]


class Log(Protocol):
    """What takes lines: a task's log."""

    def info(self, event: str, *args: object) -> object:
        """Take one line."""


class TimedReporter:
    """Takes progress as often as it comes; every few seconds it logs, measures and stores it.

    What is moved by a database's own means is told by a subclass for each kind.

    :param tags: of the metrics.
    :param store: keeps a value under a key where the UI shows it; see :func:`state_store_of`.
    """

    prefix = "heavylift"
    gauges: tuple[str, ...] = ()

    def __init__(
        self,
        log: Log,
        tags: Mapping[str, str],
        *,
        store: Store | None = None,
        clock: Callable[[], float] = time.monotonic,
        every_seconds: float = LOG_EVERY_SECONDS,
    ) -> None:
        self._log = log
        self._tags = dict(tags)
        self._store = store
        self._clock = clock
        self._every = every_seconds
        self._due = clock() + every_seconds

    def __call__(self, progress: Any) -> None:
        """Take one report, a dataclass."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + self._every
        self._log.info("%s", self.line(progress))
        measure(self.prefix, {name: getattr(progress, name) for name in self.gauges}, self._tags)
        if self._store is not None:
            self._store("progress", asdict(progress))

    def line(self, progress: Any) -> str:
        """Return one line about how far the work is."""
        return str(progress)


class ProgressReporter(TimedReporter):
    """Tells how far a copy of objects has come."""

    prefix = "heavylift.copy"
    gauges = (
        "objects_done",
        "bytes_done",
        "bytes_per_second",
        "objects_per_second",
        "throttled",
        "seconds_left",
        "concurrency",
    )

    def line(self, progress: Progress) -> str:
        """Return done, total, rate and time left."""
        return progress_line(progress)


def measure(prefix: str, values: Mapping[str, float | None], tags: Mapping[str, str]) -> None:
    """Set gauges; what has no value is left as it was."""
    from airflow.sdk.observability import stats

    for name, value in values.items():
        if value is not None:
            stats.gauge(f"{prefix}.{name}", value, tags=dict(tags))


def state_store_of(context: Context, log: Log) -> Store | None:
    """Return what keeps values in the running task's state store, or None where it has none.

    Airflow shows them beside the task. Losing one is no reason to stop a copy.
    """
    accessor = context.get("task_state_store")
    if accessor is None:
        return None

    def keep(key: str, value: dict[str, Any]) -> None:
        from airflow.sdk.exceptions import AirflowRuntimeError

        try:
            accessor.set(key, value)
        except AirflowRuntimeError as error:
            log.info("the progress could not be shown in the UI: %s", error)

    return keep


# Imported when they are used: DAG files import this module, and parse without the movers.
def progress_line(progress: Progress) -> str:
    """Return one line: done, total, rate, time left, and whether the stores ask for less."""
    from heavylift.objects import progress_text

    return progress_text.progress_line(progress)


def human_size(size_bytes: float) -> str:
    """Return bytes for people: ``1.4 GiB``."""
    from heavylift.objects import progress_text

    return progress_text.human_size(size_bytes)
