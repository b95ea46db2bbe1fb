"""What tests seal and open: folders, keys, and acts with their evidence."""

from __future__ import annotations

import asyncio
import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.connections import Connection
from heavylift.envelopes.keeping import act_on
from heavylift.envelopes.requests import EnvelopeRequest, KeyChoice
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import AuditEntry
from heavylift.evidence.envelope_records import Act, EnvelopeRecord, EnvelopeRow, read_envelope_rows
from heavylift.evidence.store import open_evidence
from heavylift.locations import parse_location
from heavylift.platforms.places import Place


def local_key(conn_id: str = "key") -> KeyChoice:
    """Return a fresh key that a connection holds."""
    password = base64.b64encode(os.urandom(32)).decode()
    return KeyChoice(Connection(conn_id, "envelope_key", password=password))


def folder_place(folder: Path) -> Place:
    """Return a folder as a place."""
    folder.mkdir(parents=True, exist_ok=True)
    return Place(parse_location(f"file://{folder}"))


@dataclass
class Envelopes:
    """One envelope: where it comes from, goes, and is opened, with its evidence in a folder."""

    root: Path
    key: KeyChoice
    sealed: Place
    plain: Place

    @classmethod
    def of_folders(cls, root: Path, key: KeyChoice | None = None) -> Envelopes:
        """Return one of folders."""
        return cls(root, key or local_key(), folder_place(root / "sealed"), folder_place(root / "plain"))

    def act(self, act: Act, plain: Place | None = None, **more: Any) -> EnvelopeRecord:
        """Carry an act out, and return its record."""
        given: dict[str, Any] = {"key": self.key, "sealed": self.sealed, "plain": plain or self.plain, **more}
        request = EnvelopeRequest(migration="m", name="models", **given)

        async def run() -> EnvelopeRecord:
            async with open_evidence(f"file://{self.root}/evidence") as store:
                return (await act_on(store, request, act, "cli:me"))[0]

        return asyncio.run(run())

    def rows(self, record: EnvelopeRecord) -> dict[str, EnvelopeRow]:
        """Return the rows of a record by name."""

        async def run() -> list[EnvelopeRow]:
            async with open_evidence(f"file://{self.root}/evidence") as store:
                assert record.rows is not None
                return await read_envelope_rows(store, record.rows)

        return {row.name: row for row in asyncio.run(run())}

    def trail(self) -> list[AuditEntry]:
        """Return the audit trail."""

        async def run() -> list[AuditEntry]:
            async with open_evidence(f"file://{self.root}/evidence") as store:
                return [each async for each in AuditTrail(store, "m").entries()]

        return asyncio.run(run())


def adds_up(record: EnvelopeRecord) -> bool:
    """Tell whether a record's counts are all of what was found."""
    return record.found == record.done + record.equal + record.failed + record.planned
