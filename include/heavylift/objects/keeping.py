"""Keeping a dataset's files of rows as evidence."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.evidence.paths import dataset_folder
from heavylift.evidence.store import PARQUET

if TYPE_CHECKING:
    from heavylift.evidence.records import EvidenceRef
    from heavylift.evidence.store import EvidenceStore
    from heavylift.objects.requests import TransferRequest


async def keep_rows(request: TransferRequest, evidence: EvidenceStore, path: Path) -> EvidenceRef:
    """Keep a Parquet file in the dataset's folder of the run."""
    # Named by content: an attempt that was killed may have left other rows behind.
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    name = f"{dataset_folder(request.run, request.dataset)}/{path.stem}-{digest}.parquet"
    return await evidence.write_file(name, path, PARQUET)
