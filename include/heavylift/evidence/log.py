"""A log of numbered create-only files: many processes may append, no entry is ever lost.

Entry n is ``<folder>/<n as 12 digits>.json``. Who creates it has appended; who comes second
gets AlreadyExistsError and tries the next number. With a store whose conditional create is
atomic (POSIX link, S3 If-None-Match, GCS ifGenerationMatch=0, Azure If-None-Match) that
makes appending linearisable without any lock.
"""

from __future__ import annotations

import asyncio
import random
import re
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from heavylift.errors import AlreadyExistsError, AuditError, ThrottledError
from heavylift.evidence.canonical import canonical_json, sha256_hex
from heavylift.evidence.parsing import parse_json
from heavylift.evidence.records import EvidenceRef
from heavylift.evidence.store import JSON, EvidenceStore

_DIGITS = 12
_NAME = re.compile(r"(\d{12})\.json")
_ATTEMPTS = 200


@dataclass(frozen=True)
class LogItem:
    """One entry of a log as it lies there.

    :param number: its place, from 1.
    """

    number: int
    ref: EvidenceRef
    data: bytes


class AppendLog:
    """The log below ``folder``. Cheap to create; remembers how far the log had come.

    Finding the end costs about ``2·log2(n)`` existence checks and one listing.
    """

    def __init__(self, store: EvidenceStore, folder: str) -> None:
        self._store = store
        self._folder = folder
        self._seen = 0

    def path_of(self, number: int) -> str:
        """Return the path of entry ``number``."""
        return f"{self._folder}/{number:0{_DIGITS}d}.json"

    async def append(self, document: Mapping[str, Any]) -> LogItem:
        """Append ``document`` and return its entry.

        :raises AuditError: an entry in the middle is missing.
        :raises ThrottledError: too many others kept appending first.
        """
        entry_id = uuid.uuid4().hex

        def build(number: int, _previous: LogItem | None) -> bytes:
            return canonical_json({"number": number, "id": entry_id, "document": dict(document)})

        return await self.append_built(build)

    async def append_built(self, build: Callable[[int, LogItem | None], bytes]) -> LogItem:
        """Append what ``build(number, previous entry)`` returns; it is called for each try.

        The bytes must be unique (hold a random id): equal bytes under a taken number are taken
        for this process's own write, whose answer was lost.
        """
        previous = await self.latest()
        for attempt in range(_ATTEMPTS):
            number = previous.number + 1 if previous else 1
            data = build(number, previous)
            try:
                ref = await self._store.write_bytes(self.path_of(number), data, JSON)
            except AlreadyExistsError:
                await asyncio.sleep(random.uniform(0, 0.02 * min(attempt + 1, 10)))  # noqa: S311 - jitter
                previous = await self.latest()
                continue
            self._seen = number
            return LogItem(number, ref, data)
        raise ThrottledError(
            f"appending to {self._store.url_of(self._folder)}",
            got=f"{_ATTEMPTS} times another process that was first",
            expected="a turn",
            state="this entry was not written; those of the others are whole",
            remedy="run the task again",
            code="4020",
        )

    async def latest(self) -> LogItem | None:
        """Return the last entry, or None where the log is empty.

        :raises AuditError: an entry in the middle is missing.
        """
        number = await self.length()
        return await self.read(number) if number else None

    async def read(self, number: int) -> LogItem:
        """Return entry ``number``.

        :raises NotFoundError: there is none.
        """
        path = self.path_of(number)
        data = await self._store.read_bytes(path)
        return LogItem(number, ref_of_bytes(path, data), data)

    async def entries(self, first: int = 1) -> AsyncIterator[LogItem]:
        """Yield the entries from ``first`` on to the end, in order."""
        for number in range(first, await self.length() + 1):
            yield await self.read(number)

    async def length(self) -> int:
        """Return the number of the last entry, 0 where the log is empty.

        :raises AuditError: an entry in the middle is missing.
        """
        last = await self._end_by_bisection()
        beyond = await self.numbers_after(last)
        if beyond != list(range(last + 1, last + 1 + len(beyond))):
            raise self._gap(last + 1, beyond)
        self._seen = last + len(beyond)
        return self._seen

    async def numbers_after(self, number: int) -> list[int]:
        """Return the numbers of the entries after ``number`` that a listing shows, sorted."""
        after = self.path_of(number) if number else ""
        found: list[int] = []
        async for page in self._store.name_pages(self._folder, start_after=after):
            names = (_NAME.fullmatch(path.rpartition("/")[2]) for path in page)
            found.extend(int(match.group(1)) for match in names if match)
        return sorted(value for value in found if value > number)

    async def _end_by_bisection(self) -> int:
        """Return a number n so that entry n exists and n+1 does not; 0 if the first is missing."""
        low, step = self._seen, 1
        while await self._has(low + step):
            low, step = low + step, step * 2
        high = low + step
        while high - low > 1:
            middle = (low + high) // 2
            if await self._has(middle):
                low = middle
            else:
                high = middle
        return low

    async def _has(self, number: int) -> bool:
        return await self._store.exists(self.path_of(number))

    def _gap(self, missing: int, beyond: list[int]) -> AuditError:
        return AuditError(
            f"reading the log {self._store.url_of(self._folder)}",
            got=f"no entry {missing}, but an entry {beyond[-1]}",
            expected="entries without a gap",
            state="nothing was appended; the log is damaged",
            remedy="restore the missing entry from the store's versions or a backup; check its"
            " retention rules; 'heavylift audit verify' lists what is missing",
            code="4021",
        )


def is_entry(path: str) -> bool:
    """Tell whether ``path`` is named like an entry of a log."""
    return _NAME.fullmatch(path.rpartition("/")[2]) is not None


def ref_of_bytes(path: str, data: bytes) -> EvidenceRef:
    """Return the reference to ``data`` at ``path``."""
    return EvidenceRef(path=path, sha256=sha256_hex(data), size_bytes=len(data))


def document_of(item: LogItem) -> dict[str, Any]:
    """Return the document that :meth:`AppendLog.append` was given.

    :raises AuditError: the entry holds none.
    """
    document = parse_json(item.ref.path, item.data).get("document")
    if isinstance(document, dict):
        return document
    raise AuditError(
        f"reading the log entry {item.ref.path}",
        got="no document in it",
        expected="an entry written by AppendLog.append",
        state="nothing was done with it",
        remedy="restore the entry from the store's versions or a backup",
        code="4022",
    )
