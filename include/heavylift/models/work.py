"""What long work on models reports, and how it is told to stop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

Tell = Callable[[str], None]
"""Takes one line about what is being done."""


def silent(_line: str) -> None:
    """Take a line and do nothing."""


@dataclass(frozen=True)
class Work:
    """One piece of work in a thread of its own."""

    stop: threading.Event = field(default_factory=threading.Event)
    tell: Tell = silent

    def check(self) -> None:
        """Return where the work goes on.

        :raises asyncio.CancelledError: it was asked to stop.
        """
        if self.stop.is_set():
            raise asyncio.CancelledError
