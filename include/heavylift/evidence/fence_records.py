"""The record of an act that froze an application's writes to one side of a database, or opened them again."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.records import RunKey, utc_now


class FenceRecord(Record):
    """What one act did to the fence of one side, and how that side stands since.

    :param side: ``source`` or ``target``, as the spec names them.
    :param epoch: the highest that the side has seen, the act's own.
    :param tables: relations that are fenced after the act, partitions among them.
    :param already: the side stood so before; nothing was changed.
    :param attempts: how often the locks were asked for.
    :param waited_seconds: of all seconds, those in which locks were waited for and held: what an application
        sees of the act, besides its end.
    :param position: the log's position once the act was committed: what was written before lies below it.
    """

    schema_version: Literal["heavylift/tables-fence/v1"] = "heavylift/tables-fence/v1"
    run: RunKey
    database: str
    side: Literal["source", "target"]
    act: Literal["frozen", "opened", "dropped"]
    epoch: int
    writes: Literal["open", "frozen"]
    tables: int
    already: bool = False
    attempts: int = 1
    waited_seconds: float = 0.0
    seconds: float = 0.0
    position: str = ""
    acted_at: datetime = Field(default_factory=utc_now)
