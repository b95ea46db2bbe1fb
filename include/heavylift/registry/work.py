"""How a registry's work is watched and stopped while it runs in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RegistryProgress:
    """How far a run is.

    :param doing: the act, or the table, that is under way.
    """

    doing: str
    tables_done: int = 0
    tables: int = 0
    rows: int = 0
    size_bytes: int = 0
    total_bytes: int = 0


Tell = Callable[[RegistryProgress], None]


def silent(_progress: RegistryProgress) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Work:
    """Who is told, and what is looked at now and then: whether to stop."""

    stop: threading.Event = field(default_factory=threading.Event)
    tell: Tell = silent
