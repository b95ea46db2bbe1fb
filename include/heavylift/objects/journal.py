"""The journal of uploads in progress, so that a killed mover goes on with the parts it has sent.

It lies with the migration's evidence: for each large object a numbered file names the upload that
was begun. Nothing in it is secret; the store decides by its credentials who may go on with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import datetime

from heavylift.errors import AlreadyExistsError
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.store import EvidenceStore
from heavylift.platforms.ports import ObjectAttributes, Upload


@dataclass(frozen=True)
class JournalEntry:
    """One upload that was begun.

    :param path: of the file that names it.
    :param noted_at: by the evidence store's clock.
    """

    path: str
    key: str
    upload_id: str
    noted_at: datetime

    @property
    def upload(self) -> Upload:
        """The upload as the store knows it."""
        return Upload(key=self.key, upload_id=self.upload_id)


@dataclass(frozen=True)
class UploadJournal:
    """The journal of one dataset; all runs share it, so that a new run goes on with an old one's parts."""

    evidence: EvidenceStore
    migration: str
    dataset: str

    def _folder(self, key: str, version: str, part_bytes: int) -> str:
        # Parts fit together only with the same source version and the same part size.
        name = hashlib.sha256(json.dumps([key, version, part_bytes]).encode()).hexdigest()[:40]
        return f"{uploads_folder(self.migration, self.dataset)}/{name}"

    async def current(
        self, key: str, version: str, part_bytes: int, attributes: ObjectAttributes | None = None
    ) -> Upload | None:
        """Return the upload that was last begun for this object, or None.

        :param attributes: what it must have been begun with, where that is known: stores give an object
            those that it had then, and a source may have changed them without another version.
        """
        names = await self.evidence.names(self._folder(key, version, part_bytes))
        if not names:
            return None
        entry = await self.evidence.read_json(max(names))
        if attributes is not None:
            told = _digest(attributes)
            if entry.get("attributes", told) != told:
                return None
        return Upload(key=entry["key"], upload_id=entry["upload_id"])

    async def begun(
        self, upload: Upload, version: str, part_bytes: int, attributes: ObjectAttributes | None = None
    ) -> None:
        """Note an upload before its first part is sent."""
        folder = self._folder(upload.key, version, part_bytes)
        number = len(await self.evidence.names(folder)) + 1
        entry = {"key": upload.key, "upload_id": upload.upload_id, "part_bytes": part_bytes}
        if attributes is not None:
            entry["attributes"] = _digest(attributes)
        while True:
            try:
                await self.evidence.write_json(f"{folder}/{number:04d}.json", entry)
            except AlreadyExistsError:
                number += 1
            else:
                return

    async def would_resume(self, entry: JournalEntry, version: str, part_bytes: int) -> bool:
        """Return whether a run that finds this version of the source would go on with the upload."""
        folder = self._folder(entry.key, version, part_bytes)
        if entry.path.rpartition("/")[0] != folder:
            return False
        return entry.path == max(await self.evidence.names(folder))


def _digest(attributes: ObjectAttributes) -> str:
    return hashlib.sha256(json.dumps(asdict(attributes), sort_keys=True).encode()).hexdigest()[:40]


def uploads_folder(migration: str, dataset: str = "") -> str:
    """Return the folder of a dataset's journal, or of all journals of a migration."""
    return f"{migration}/uploads" + (f"/{safe_segment(dataset)}" if dataset else "")


async def journal_entries(
    evidence: EvidenceStore, migration: str, dataset: str = ""
) -> AsyncIterator[JournalEntry]:
    """Yield all uploads that a dataset, or a whole migration, has ever begun; one request for each."""
    async for file in evidence.files(uploads_folder(migration, dataset)):
        entry = await evidence.read_json(file.path)
        yield JournalEntry(file.path, entry["key"], entry["upload_id"], file.modified_at)
