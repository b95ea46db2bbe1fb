"""Triggers that watch how far a stream of changes is behind. They read two numbers and move no data."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from heavylift.errors import HeavyliftError, TransientError
from heavylift_airflow.hooks.object_store import ObjectStoreHook

if TYPE_CHECKING:
    from heavylift.tables.postgres.lag import Lag

_STREAMING = "streaming"
_NOISE_BYTES = 256
"""Of log, a server writes about so much by itself between two looks, without any change of rows."""


class _LagTrigger(BaseTrigger):
    """Looks at a stream's lag every ``poll_seconds`` until :meth:`_fires`.

    A server that is away for a while is waited for; one that refuses is told to the task, which asks
    the same and fails with the reason.

    :param source_conn_id: id of the connection of the side where changes are read.
    :param target_conn_id: id of the connection of the side where they are applied.
    :param stream: the stream's id.
    """

    def __init__(
        self, source_conn_id: str, target_conn_id: str, stream: str, poll_seconds: float = 5.0
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.source_conn_id = source_conn_id
        self.target_conn_id = target_conn_id
        self.stream = stream
        self.poll_seconds = poll_seconds
        self._began = time.monotonic()

    def _arguments(self) -> dict[str, Any]:
        return {
            "source_conn_id": self.source_conn_id,
            "target_conn_id": self.target_conn_id,
            "stream": self.stream,
            "poll_seconds": self.poll_seconds,
        }

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments that make this trigger again; no secret among them."""
        return f"{type(self).__module__}.{type(self).__qualname__}", self._arguments()

    @abstractmethod
    def _fires(self, lag: Lag) -> bool:
        """Tell whether the task has something to do."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait until there is something for the task to do."""
        while True:
            # The task has just looked itself.
            await asyncio.sleep(self.poll_seconds)
            event = await self._look()
            if event is not None:
                yield TriggerEvent(event)  # type: ignore[no-untyped-call]
                return

    async def _look(self) -> dict[str, Any] | None:
        from heavylift.tables.wiring import lag_reader

        try:
            source = await ObjectStoreHook(self.source_conn_id).aget_conn()
            target = await ObjectStoreHook(self.target_conn_id).aget_conn()
            lag = await lag_reader(source)(source, target, self.stream)
        except TransientError as error:
            self.log.warning("looking again in %s s: %s", self.poll_seconds, error)
            return None
        except HeavyliftError as error:
            self.log.warning("giving back to the task: %s", error)
            return {"stream": self.stream, "error": error.code}
        self.log.info("%s: %s bytes behind, %s s", self.stream, lag.lag_bytes, lag.seconds)
        if not self._fires(lag):
            return None
        return {"stream": self.stream, "lag_bytes": lag.lag_bytes, "lag_seconds": lag.seconds}


class ReplicationCaughtUpTrigger(_LagTrigger):
    """Fires when a stream seems to be caught up, or is no longer streaming; the task looks for itself.

    :param max_lag_seconds: lag under which a stream counts as caught up.
    """

    def __init__(
        self,
        source_conn_id: str,
        target_conn_id: str,
        stream: str,
        max_lag_seconds: float = 60.0,
        poll_seconds: float = 5.0,
    ) -> None:
        super().__init__(source_conn_id, target_conn_id, stream, poll_seconds)
        self.max_lag_seconds = max_lag_seconds

    def _arguments(self) -> dict[str, Any]:
        return {**super()._arguments(), "max_lag_seconds": self.max_lag_seconds}

    def _fires(self, lag: Lag) -> bool:
        return lag.state != _STREAMING or lag.seconds is None or lag.seconds <= self.max_lag_seconds


class ChangesWaitingTrigger(_LagTrigger):
    """Fires when the source has written something, and now and then without that.

    :param every_seconds: fire after so long in any case, so that small changes arrive in time and the
        source may let go of its log.
    """

    def __init__(
        self,
        source_conn_id: str,
        target_conn_id: str,
        stream: str,
        poll_seconds: float = 5.0,
        every_seconds: float = 60.0,
    ) -> None:
        super().__init__(source_conn_id, target_conn_id, stream, poll_seconds)
        self.every_seconds = every_seconds

    def _arguments(self) -> dict[str, Any]:
        return {**super()._arguments(), "every_seconds": self.every_seconds}

    def _fires(self, lag: Lag) -> bool:
        due = time.monotonic() - self._began >= self.every_seconds
        return lag.state != _STREAMING or due or lag.lag_bytes > _NOISE_BYTES
