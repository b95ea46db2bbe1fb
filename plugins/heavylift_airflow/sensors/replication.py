"""The sensor that waits until a stream of changes has caught up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseSensorOperator

from heavylift.errors import IncompleteError
from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.progress import state_store_of
from heavylift_airflow.tables_progress import tell_lag
from heavylift_airflow.task import HeavyliftTask
from heavylift_airflow.triggers.replication import ReplicationCaughtUpTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.table_records import StreamStatus
    from heavylift.tables.requests import TablesRequest
    from heavylift_airflow.context import TaskFrame


class ReplicationCaughtUpSensor(HeavyliftTask, BaseSensorOperator):
    """Waits until the target is less than ``max_lag_seconds`` behind the source.

    The first look is made at once; only then does it defer to the triggerer, which watches both
    servers' positions. The triggerer's word is no evidence: the task looks again when it is woken.

    Idempotency: it changes nothing.

    :param database: the database's name in the spec. (templated)
    :param direction: ``forward`` or ``reverse``.
    :param max_lag_seconds: None takes the spec's ``max_lag``.
    :param timeout: longest wait, seconds; 7 days by default.
    :return: the lag, ``{"state", "lag_bytes", "lag_rows", "lag_seconds", …}``; also the XCom ``lag``.
    :raises NotFoundError: no snapshot has begun the stream.
    :raises IncompleteError: the stream is not flowing any more.
    """

    template_fields: Sequence[str] = (*HeavyliftTask.template_fields, "database")
    operator_extra_links = HeavyliftTask.operator_extra_links

    def __init__(
        self,
        *,
        database: str,
        direction: str = "forward",
        max_lag_seconds: float | None = None,
        poke_interval: float = 5.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.database = database
        self.direction = direction
        self.max_lag_seconds = max_lag_seconds

    def execute(self, context: Context) -> dict[str, Any]:
        """Look once; defer where the target is too far behind."""
        from heavylift.tables.api import tables_status
        from heavylift.tables.wording import lag_figures

        frame = self.moving_frame(context)
        request = self._request(frame)
        status = self.work.run(tables_status(request), f"looking up the lag of {request.stream}")
        tags = {"migration": request.run.migration, "database": self.database, "direction": self.direction}
        tell_lag(context, state_store_of(context, self.log), tags, status)
        max_lag = self.max_lag_seconds if self.max_lag_seconds is not None else request.options.max_lag
        if not _is_caught_up(status, max_lag):
            self._wait(request, max_lag)
        return lag_figures(status)

    def resume(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Look again."""
        self.log.info("woken: %s", event)
        return self.execute(context)

    def _request(self, frame: TaskFrame) -> TablesRequest:
        from heavylift.tables.requests import tables_request

        made = tables_request(frame.spec, self.database, frame.run, look_up)
        return made.reversed() if self.direction == "reverse" else made

    def _wait(self, request: TablesRequest, max_lag: float) -> NoReturn:
        trigger = ReplicationCaughtUpTrigger(
            source_conn_id=request.source.connection.conn_id,
            target_conn_id=request.target.connection.conn_id,
            stream=request.stream,
            max_lag_seconds=max_lag,
            poll_seconds=float(self.poke_interval),
        )
        self.defer(trigger=trigger, method_name="resume", timeout=timedelta(seconds=float(self.timeout)))


def _is_caught_up(status: StreamStatus, max_lag: float) -> bool:
    if status.state not in {"streaming", "copying"}:
        raise IncompleteError(
            f"waiting for stream {status.stream!r} to catch up",
            got=f"a stream that is {status.state} ({status.reason or 'no reason noted'})",
            expected="one that flows",
            state=f"the target holds the source as of {status.applied_position or 'no position'}",
            remedy="start a transfer, whose snapshot begins the stream anew",
            code="8213",
        )
    return status.state == "streaming" and status.lag_seconds is not None and status.lag_seconds <= max_lag
