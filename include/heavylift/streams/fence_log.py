"""Whether producers may write to one side of a stream, as the records of its fence topic tell it.

Each side has a fence topic of its own, of one partition, so that all its records have one order. A record
says at which epoch the side was frozen or opened. Of two epochs the higher one holds, wherever their records
lie: what somebody writes who was overtaken changes nothing. Of one epoch the last record holds.
"""

from __future__ import annotations

import json

from heavylift.errors import IntegrityError
from heavylift.fencing import Writes, WriteState

OPEN, FROZEN = "open", "frozen"


class FenceLog:
    """The records of a fence topic, folded one by one."""

    def __init__(self) -> None:
        self._frozen: dict[int, bool] = {}

    @property
    def epoch(self) -> int:
        """The highest that the side has seen; 0 where it never saw one."""
        return max(self._frozen, default=0)

    @property
    def frozen(self) -> bool:
        """Whether producers may not write."""
        return self._frozen.get(self.epoch, False)

    @property
    def opened(self) -> int | None:
        """The highest epoch at which the side was opened; None where it never was."""
        return max((epoch for epoch, frozen in self._frozen.items() if not frozen), default=None)

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """Take the next record.

        :raises IntegrityError: it is none of ours.
        """
        try:
            kind, epoch = json.loads(key or b"")
            state = json.loads(value or b"")["state"]
            if kind != "fence" or state not in (OPEN, FROZEN):
                raise ValueError(kind)
            self._frozen[int(epoch)] = state == FROZEN
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(
                "reading the fence of a stream",
                got=f"a record that Heavylift did not write (key of {len(key or b'')} bytes)",
                expected="records that tell at which epoch the side was frozen or opened",
                state="nothing was written",
                remedy="keep other writers away from the fence topic; delete the topic where the stream was"
                " never switched",
                retry_safe=False,
                code="9630",
            ) from error

    def state(self, partly: tuple[str, ...] = ()) -> WriteState:
        """Return it as the switch sees it.

        :param partly: topics at which the brokers do otherwise.
        """
        writes = Writes.FROZEN if self.frozen else Writes.OPEN
        return WriteState(writes, self.epoch, partly, self.opened)


def fence_record(epoch: int, *, frozen: bool) -> tuple[bytes, bytes]:
    """Return the key and value of one record. Compaction keeps the last one of each epoch."""
    key = json.dumps(["fence", epoch], separators=(",", ":"))
    value = json.dumps({"epoch": epoch, "state": FROZEN if frozen else OPEN}, sort_keys=True)
    return key.encode(), value.encode()
