"""The stream's hold on the target, and what it remembers of the log's file besides the position.

A file name and an offset are not enough: after ``RESET MASTER`` the same names begin again. Who began the
file that the position lies in, and when, is kept with it, and the last transaction's GTID for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from heavylift.tables.postgres.state import Lease

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session


@dataclass
class Seen:
    """What the reader has seen of the log, for whoever notes positions; written by one thread.

    :param births: by file number; see :func:`heavylift.tables.mysql.log.birth_from`.
    :param gtids: by the position behind a transaction.
    """

    births: dict[int, str] = field(default_factory=dict)
    gtids: dict[int, str] = field(default_factory=dict)

    def forget_before(self, applied: int) -> None:
        """Forget the transactions that end before a position that is noted."""
        for each in [at for at in list(self.gtids) if at < applied]:
            self.gtids.pop(each, None)


def mark(file: int, birth: str, gtid: str) -> str:
    """Return what is kept with a position."""
    return json.dumps({"file": file, "birth": birth, "gtid": gtid})


def read_mark(text: str) -> Mapping[str, str | int]:
    """Return what :func:`mark` kept; empty where there is none."""
    return json.loads(text) if text.startswith("{") else {}


@dataclass(frozen=True)
class LogLease(Lease):
    """A lease that notes the file's mark in the transaction that notes the position."""

    seen: Seen = field(default_factory=Seen, compare=False)

    def advance(self, session: Session, applied: int, applied_at: datetime | None, changes: int) -> None:
        """Note a position, and with it who began its file."""
        super().advance(session, applied, applied_at, changes)
        file = applied >> 32
        if applied and file in self.seen.births:
            gtid = self.seen.gtids.get(applied, "")
            session.execute(
                "UPDATE heavylift.stream SET publication = CASE WHEN %s = '' AND publication LIKE '{%%'"
                " THEN (publication::jsonb || %s::jsonb)::text ELSE %s END WHERE id = %s",
                [gtid, json.dumps({"file": file, "birth": self.seen.births[file]}),
                 mark(file, self.seen.births[file], gtid), self.stream],
            )  # fmt: skip
            self.seen.forget_before(applied)
