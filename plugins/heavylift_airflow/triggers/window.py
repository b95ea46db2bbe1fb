"""The trigger that waits for a time window to open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

_LOOK_AGAIN_SECONDS = 60.0
"""A clock that is set, or a machine that slept, is noticed after so long."""


class WindowTrigger(BaseTrigger):
    """Fires at a moment, or at once where it has passed.

    It asks nobody: the task that it wakes looks at the spec's windows itself.

    :param opens_at: ISO 8601 with its zone.
    """

    def __init__(self, opens_at: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.opens_at = opens_at

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments that make this trigger again."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"opens_at": self.opens_at}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the moment."""
        moment = datetime.fromisoformat(self.opens_at)
        # In pieces, because one long sleep goes by another clock than the one on the wall.
        while (left := (moment - datetime.now(UTC)).total_seconds()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(left, _LOOK_AGAIN_SECONDS))
        yield TriggerEvent({"opens_at": self.opens_at})  # type: ignore[no-untyped-call]
