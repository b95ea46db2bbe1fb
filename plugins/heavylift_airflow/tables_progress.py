"""Tells how far tables have come, and how far their stream is behind: log, metrics, state store, XCom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from heavylift_airflow.progress import Store, TimedReporter, measure

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.table_records import StreamStatus
    from heavylift.tables.engine import TablesProgress

LAG = "lag"
"""The XCom, and the key in the task's state store, that hold the lag."""

_LAG_GAUGES = ("lag_bytes", "lag_rows", "lag_seconds", "retained_bytes")


class TablesReporter(TimedReporter):
    """Tells how far tables are: metrics ``heavylift.tables.*``."""

    prefix = "heavylift.tables"
    gauges = ("rows_done", "bytes_done", "rows_per_second", "seconds_left", "lag_bytes", "lag_seconds")

    def line(self, progress: TablesProgress) -> str:
        """Return one line about how far the work is."""
        from heavylift.tables.wording import progress_line

        return progress_line(progress)


def tell_lag(context: Context, store: Store | None, tags: Mapping[str, str], status: StreamStatus) -> None:
    """Show how far a stream is behind: in the task's XComs and state store, and as metrics."""
    from heavylift.tables.wording import lag_figures

    figures: dict[str, Any] = {**lag_figures(status)}
    context["ti"].xcom_push(key=LAG, value=figures)
    measure(TablesReporter.prefix, {name: figures[name] for name in _LAG_GAUGES}, tags)
    if store is not None:
        store(LAG, figures)
