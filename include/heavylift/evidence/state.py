"""How far an incremental sync has come: the latest manifests of each dataset.

The state lies with the evidence, not in Airflow, so that it survives a rebuilt Airflow and
is the same for the command line and for DAGs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from heavylift.evidence.log import AppendLog, document_of
from heavylift.evidence.paths import state_folder
from heavylift.evidence.store import EvidenceStore


class StateLog:
    """The sync state of one dataset of one migration: the last entry of an append-only log."""

    def __init__(self, store: EvidenceStore, migration: str, dataset: str) -> None:
        self._log = AppendLog(store, state_folder(migration, dataset))

    async def append(self, state: Mapping[str, Any]) -> int:
        """Make ``state`` the dataset's state and return its number.

        A second run with the same state appends it once more, which changes nothing.

        :raises AuditError: the log is damaged.
        """
        return (await self._log.append(state)).number

    async def latest(self) -> dict[str, Any] | None:
        """Return the dataset's state, or None before the first sync.

        :raises AuditError: the log is damaged.
        """
        item = await self._log.latest()
        return document_of(item) if item else None

    async def backwards(self) -> AsyncIterator[dict[str, Any]]:
        """Yield all states, the last one first.

        :raises AuditError: the log is damaged.
        """
        for number in range(await self._log.length(), 0, -1):
            yield document_of(await self._log.read(number))
