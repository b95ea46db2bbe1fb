"""What is lost where a workload is brought back without its target: counted and named, to be approved."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.records import RunKey, utc_now


class Loss(Record):
    """What one database or stream loses.

    :param carried_until: when changes were carried back last; all that was written on the target since is
        lost. None where nothing ever was.
    :param position: up to which they were.
    :param at_least: what was known to be behind then, in ``unit``; what came later nobody can count.
    """

    subject: str
    carried_until: datetime | None = None
    position: str = ""
    at_least: int = 0
    unit: Literal["bytes of log", "records"] = "bytes of log"
    since: datetime
    detail: str


class LossRecord(Record):
    """All that a rollback without the target loses.

    :param gone: what of the target did not answer; the rest is brought back with everything.
    """

    schema_version: Literal["heavylift/switch-losses/v1"] = "heavylift/switch-losses/v1"
    run: RunKey
    seen_at: datetime = Field(default_factory=utc_now)
    gone: tuple[str, ...]
    losses: tuple[Loss, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of what is lost: the same as long as nothing more is, and nothing less."""
        told = [self.gone, [each.model_dump(mode="json") for each in self.losses]]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
