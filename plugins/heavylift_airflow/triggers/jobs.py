"""The trigger that waits for Jobs of two clusters to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from heavylift.errors import HeavyliftError, TransientError


class JobsTrigger(BaseTrigger):
    """Fires when one of the Jobs has ended, however it ended; the task then looks for itself.

    It asks every ``poll_seconds``. A cluster that cannot be reached for a while is waited for; one that
    refuses to answer is told to the task. It changes nothing, and killing it stops no Job.

    :param connections: side → connection id.
    :param jobs: as ``side namespace/name``.
    """

    def __init__(self, connections: dict[str, str], jobs: list[str], poll_seconds: float = 30.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.connections = connections
        self.jobs = jobs
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments that make this trigger again; no secret among them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"connections": self.connections, "jobs": self.jobs, "poll_seconds": self.poll_seconds},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the first Job's end."""
        # Polling, because a watch of two clusters would break as often as a proxy between closes it.
        while not (ended := await self._ended()):  # noqa: ASYNC110
            await asyncio.sleep(self.poll_seconds)
        yield TriggerEvent({"ended": ended})  # type: ignore[no-untyped-call]

    async def _ended(self) -> str:
        for job in self.jobs:
            side, _, name = job.partition(" ")
            try:
                running = await self._running(side, name)
            except TransientError as error:
                self.log.warning("looking again in %s s: %s", self.poll_seconds, error)
                continue
            except HeavyliftError as error:
                # The task asks the same and fails with the reason; a trigger's own failure tells less.
                self.log.warning("giving back to the task: %s", error)
                return job
            if not running:
                return job
        return ""

    async def _running(self, side: str, name: str) -> bool:
        from heavylift.manifests.volume_jobs import is_running
        from heavylift_airflow.hooks.object_store import ObjectStoreHook

        # Looked up anew for each look, so that a rotated token is taken up.
        connection = await ObjectStoreHook(self.connections[side]).aget_conn()
        return await is_running(connection, name)
