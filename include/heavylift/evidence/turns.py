"""Turns: of two runs that would write to one place at once, the second is refused.

For places that have no lock of their own: a registry behind an interface, say. A turn is a file of the
evidence store, made under the next free number, which only one of two can do. It is good until a moment that
its holder moves on while it works; what was killed on this machine is seen to be gone at once, what was
killed on another lets go at that moment.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from heavylift.errors import AlreadyExistsError, HeavyliftError, TransientError
from heavylift.evidence.base import Record
from heavylift.evidence.records import RunKey, utc_now

if TYPE_CHECKING:
    from heavylift.evidence.store import EvidenceStore

GOOD_FOR = timedelta(minutes=10)
"""How long a turn is good for without another word."""
_FOLDER = "~turns"


class TurnRecord(Record):
    """Who may write to a place, and until when.

    :param token: the holder's own; its later words bear it, too.
    :param started: when the holder's process began, in ticks of its machine; 0 where that cannot be told.
    """

    schema_version: Literal["heavylift/turn/v1"] = "heavylift/turn/v1"
    run: RunKey
    place: str
    token: str
    machine: str
    process: int
    started: int
    until: datetime
    released: bool = False
    taken_at: datetime = Field(default_factory=utc_now)


@asynccontextmanager
async def turn(
    store: EvidenceStore,
    run: RunKey,
    place: str,
    lost: Callable[[], None],
    *,
    good_for: timedelta = GOOD_FOR,
) -> AsyncIterator[None]:
    """Hold the turn at a place for the block.

    :param place: what is written to; the same text for the same place.
    :param lost: called where the turn could not be kept; the holder must stop writing.
    :raises TransientError: another run has it.
    """
    holder = _Holder(store, run, place, good_for)
    await holder.take()
    keeping = asyncio.ensure_future(holder.keep(lost))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})
        await holder.give_back()


class _Holder:
    def __init__(self, store: EvidenceStore, run: RunKey, place: str, good_for: timedelta) -> None:
        self._store = store
        self._run = run
        self._place = place
        self._good_for = good_for
        self._token = secrets.token_hex(8)
        digest = hashlib.sha256(place.encode()).hexdigest()[:24]
        self._folder = f"{run.migration}/{_FOLDER}/{digest}"
        self._number = 0

    async def take(self) -> None:
        """Take the turn."""
        names = await self._store.names(self._folder)
        self._number = max((_number(name) for name in names), default=0)
        if self._number:
            last = await self._store.read_record(self._path(self._number), TurnRecord)
            if not last.released and utc_now() < last.until and not _is_gone(last):
                raise self._taken(f"run {last.run.run} of {last.run.migration} on {last.machine}")
        try:
            await self._say()
        except AlreadyExistsError as error:
            raise self._taken("another run, which came at the same moment") from error

    async def keep(self, lost: Callable[[], None]) -> None:
        """Move the moment on until cancelled; where that fails for too long the turn is lost."""
        until = utc_now() + self._good_for
        while True:
            await asyncio.sleep(self._good_for.total_seconds() / 3)
            try:
                await self._say()
            except AlreadyExistsError:
                lost()
                return
            except HeavyliftError:
                if utc_now() >= until - self._good_for / 3:
                    lost()
                    return
            else:
                until = utc_now() + self._good_for

    async def give_back(self) -> None:
        """Let others have the turn; where that cannot be written they get it a little later."""
        with suppress(HeavyliftError):
            await self._say(released=True)

    async def _say(self, *, released: bool = False) -> None:
        record = TurnRecord(
            run=self._run,
            place=self._place,
            token=self._token,
            machine=socket.gethostname(),
            process=os.getpid(),
            started=_started(os.getpid()) or 0,
            until=utc_now() + self._good_for,
            released=released,
        )
        await self._store.write_json(self._path(self._number + 1), record)
        self._number += 1

    def _path(self, number: int) -> str:
        return f"{self._folder}/turn-{number:08d}.json"

    def _taken(self, got: str) -> TransientError:
        minutes = self._good_for.total_seconds() / 60
        return TransientError(
            f"taking the turn at {self._place}",
            got=got,
            expected="one run at a time",
            state="this run changed nothing",
            remedy="wait for the other run, or end it; one that was killed on another machine lets go within"
            f" {minutes:g} minutes",
            code="9530",
        )


def _number(name: str) -> int:
    return int(name.rpartition("-")[2].removesuffix(".json"))


def _is_gone(record: TurnRecord) -> bool:
    """Tell whether the holder was a process of this machine that is no more."""
    if record.machine != socket.gethostname() or not record.started:
        return False
    return _started(record.process) != record.started


def _started(process: int) -> int | None:
    """Return when a process of this machine began; None where there is none, or that cannot be told."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # A process that has ended and that nobody has waited for yet writes nothing any more.
    return None if fields[0] == "Z" else int(fields[19])
