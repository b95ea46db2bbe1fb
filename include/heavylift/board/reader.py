"""Reads records for the board: one that is damaged is told, and takes nothing else with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from heavylift.errors import AuditError, NotFoundError
from heavylift.evidence.parsing import RecordT
from heavylift.evidence.store import EvidenceStore

_AT_ONCE = 16


@dataclass(frozen=True)
class Trouble:
    """Something that could not be read.

    :param path: the evidence; empty where it is no single file.
    """

    path: str
    words: str


class Reader:
    """Reads records of one migration and keeps what could not be read.

    :param troubles: grows with each record that is damaged, or gone since it was listed.
    """

    def __init__(self, store: EvidenceStore) -> None:
        self._store = store
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self.troubles: list[Trouble] = []

    async def record(self, path: str, model: type[RecordT]) -> RecordT | None:
        """Return the record at ``path``, or None where it cannot be read.

        :raises HeavyliftError: the store itself cannot be read.
        """
        async with self._limit:
            try:
                return await self._store.read_record(path, model)
            except (AuditError, NotFoundError) as error:
                self.troubles.append(Trouble(path, f"{error.got} [HL-{error.code}]"))
                return None

    async def document(self, path: str) -> dict[str, Any] | None:
        """Return the JSON object at ``path``, of whatever kind, or None where it cannot be read.

        :raises HeavyliftError: the store itself cannot be read.
        """
        async with self._limit:
            try:
                return await self._store.read_json(path)
            except (AuditError, NotFoundError) as error:
                self.troubles.append(Trouble(path, f"{error.got} [HL-{error.code}]"))
                return None

    async def records(self, paths: Iterable[str], model: type[RecordT]) -> list[tuple[str, RecordT]]:
        """Return the readable ones of ``paths`` with their records, in the order of the paths."""
        wanted = list(paths)
        read = await asyncio.gather(*(self.record(path, model) for path in wanted))
        return [(path, record) for path, record in zip(wanted, read, strict=True) if record is not None]

    async def last(self, paths: Iterable[str], model: type[RecordT]) -> tuple[str, RecordT] | None:
        """Return the last of ``paths`` and its record, or None."""
        found = await self.records(list(paths)[-1:], model)
        return found[0] if found else None
