"""The trigger that waits for a transfer service's run to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from heavylift.errors import HeavyliftError, TransientError

if TYPE_CHECKING:
    from heavylift.objects.services.ports import ServiceStatus, TransferService


class ServiceRunTrigger(BaseTrigger):
    """Fires when the run has ended, however it ended; the task then looks for itself.

    It asks every ``poll_seconds``. A service that cannot be reached for a while is waited for;
    one that refuses to answer is told to the task. Killed by a person, it cancels the run.

    :param service: what :func:`heavylift_airflow.hooks.services.opening.open_service` takes.
    :param handle: the run, as the service names it.
    """

    def __init__(self, service: dict[str, Any], handle: str, poll_seconds: float = 60.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.service = service
        self.handle = handle
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments that make this trigger again; no secret among them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"service": self.service, "handle": self.handle, "poll_seconds": self.poll_seconds},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the run's end."""
        # Polling, because the services tell nobody.
        while await self._running():  # noqa: ASYNC110
            await asyncio.sleep(self.poll_seconds)
        yield TriggerEvent({"handle": self.handle})  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Cancel the run: somebody marked the waiting task."""
        await asyncio.to_thread(self._cancel)
        self.log.info("cancelled %s", self.handle)

    async def _running(self) -> bool:
        from heavylift.objects.services.ports import ServiceState

        try:
            status = await asyncio.to_thread(self._look)
        except TransientError as error:
            self.log.warning("looking again in %s s: %s", self.poll_seconds, error)
            return True
        except HeavyliftError as error:
            # The task asks the same and fails with the reason; a trigger's own failure tells less.
            self.log.warning("giving back to the task: %s", error)
            return False
        self.log.info("%s: %s, copied %s, skipped %s, failed %s objects", self.handle, status.state.value,
                      status.copied.objects, status.skipped.objects, status.failed.objects)  # fmt: skip
        return status.state is ServiceState.RUNNING

    def _look(self) -> ServiceStatus:
        return self._opened().look(self.handle)

    def _cancel(self) -> None:
        self._opened().cancel(self.handle)

    def _opened(self) -> TransferService:
        # Opened anew for each look, so that a rotated key is taken up; the providers' hooks block,
        # and ask the triggerer for their connection from this thread.
        from heavylift_airflow.hooks.services.opening import open_service

        return open_service(self.service)
