"""The trigger that waits until nothing is under way on the endpoints of a migration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from heavylift.errors import HeavyliftError, TransientError

if TYPE_CHECKING:
    from heavylift.connections import Connection


class EndpointsTrigger(BaseTrigger):
    """Fires when one of the things that are waited for is not under way any more, however it ended.

    It asks every ``poll_seconds``. A product that cannot be reached for a while is waited for; one that
    refuses is told to the task, which asks the same and fails with the reason.

    :param waits: what is waited for, each as
        :func:`heavylift.endpoints.waiting.is_under_way` takes it; no secret is in it.
    """

    def __init__(self, waits: list[dict[str, Any]], poll_seconds: float = 30.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waits = waits
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments that make this trigger again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"waits": self.waits, "poll_seconds": self.poll_seconds},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for an end."""
        # Polling, because the products tell nobody.
        while await self._all_under_way():  # noqa: ASYNC110
            await asyncio.sleep(self.poll_seconds)
        yield TriggerEvent({"waited_for": len(self.waits)})  # type: ignore[no-untyped-call]

    async def _all_under_way(self) -> bool:
        from heavylift.endpoints.waiting import is_under_way

        for each in self.waits:
            try:
                going = await is_under_way(each, await self._looked_up(str(each["connection"])))
            except TransientError as error:
                self.log.warning("looking again in %s s: %s", self.poll_seconds, error)
                continue
            except HeavyliftError as error:
                self.log.warning("giving back to the task: %s", error)
                return False
            self.log.info("%s %s: %s", each["thing"], each["name"], "under way" if going else "ended")
            if not going:
                return False
        return True

    async def _looked_up(self, conn_id: str) -> Connection:
        # Opened anew for each look, so that a rotated key is taken up.
        from heavylift_airflow.hooks.object_store import ObjectStoreHook

        return await ObjectStoreHook(conn_id).aget_conn()
