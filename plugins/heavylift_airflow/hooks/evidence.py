"""The evidence store behind a spec's evidence connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from airflow.sdk.bases.hook import BaseHook

from heavylift_airflow.hooks.object_store import ObjectStoreHook

if TYPE_CHECKING:
    from heavylift.evidence.store import EvidenceStore


class EvidenceHook(BaseHook):
    """Opens an evidence store. Opening reads the Airflow connection and nothing else.

    :param conn_id: id of the evidence connection.
    :param url: where in it; None leaves that to the connection.
    """

    def __init__(self, conn_id: str = "evidence", url: str | None = None) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.url = url

    @asynccontextmanager
    async def open(self) -> AsyncIterator[EvidenceStore]:
        """Open the store and close it at the end of the block; for use on an event loop.

        :raises ConnectionConfigError: no such connection, or it names no place.
        """
        from heavylift.evidence.store import open_evidence

        connection = await ObjectStoreHook(self.conn_id).aget_conn()
        async with open_evidence(self.url, connection) as store:
            yield store
