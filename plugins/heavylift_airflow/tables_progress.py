"""Tells how far tables have come, and how far their stream is behind: log, metrics, state store, XCom."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from heavylift_airflow.progress import LOG_EVERY_SECONDS, Log, Store

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.table_records import StreamStatus
    from heavylift.tables.engine import TablesProgress

LAG = "lag"
"""The XCom, and the key in the task's state store, that hold the lag."""

_GAUGES = ("rows_done", "bytes_done", "rows_per_second", "seconds_left", "lag_bytes", "lag_seconds")
_LAG_GAUGES = ("lag_bytes", "lag_rows", "lag_seconds", "retained_bytes")


class TablesReporter:
    """Takes progress as often as it comes; every few seconds it logs, measures and stores it.

    :param tags: of the metrics ``heavylift.tables.*``.
    :param store: keeps a value under a key where the UI shows it.
    """

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

    def __call__(self, progress: TablesProgress) -> None:
        """Take one report."""
        from heavylift.tables.wording import progress_line

        now = self._clock()
        if now < self._due:
            return
        self._due = now + self._every
        self._log.info("%s", progress_line(progress))
        _measure({name: getattr(progress, name) for name in _GAUGES}, self._tags)
        if self._store is not None:
            self._store("progress", asdict(progress))


def tell_lag(context: Context, store: Store | None, tags: Mapping[str, str], status: StreamStatus) -> None:
    """Show how far a stream is behind: in the task's XComs and state store, and as metrics."""
    from heavylift.tables.wording import lag_figures

    figures: dict[str, Any] = {**lag_figures(status)}
    context["ti"].xcom_push(key=LAG, value=figures)
    _measure({name: figures[name] for name in _LAG_GAUGES}, tags)
    if store is not None:
        store(LAG, figures)


def _measure(values: Mapping[str, float | None], tags: Mapping[str, str]) -> None:
    from airflow.sdk.observability import stats

    for name, value in values.items():
        if value is not None:
            stats.gauge(f"heavylift.tables.{name}", value, tags=dict(tags))
