"""Claiming an attempt: each attempt at a shard has a folder of evidence of its own."""

from __future__ import annotations

import os
import uuid

from heavylift.errors import AlreadyExistsError
from heavylift.evidence.paths import attempt_folder
from heavylift.evidence.records import RunKey, utc_now
from heavylift.evidence.store import EvidenceStore

MOST_ATTEMPTS = 999


async def claim_attempt(evidence: EvidenceStore, run: RunKey, dataset: str, shard: int, wanted: int) -> int:
    """Claim the first free attempt number from ``wanted`` on, by a create-only write."""
    marker = {"claimed_at": utc_now().isoformat(), "process": os.getpid(), "nonce": uuid.uuid4().hex}
    for number in range(max(1, wanted), MOST_ATTEMPTS + 1):
        try:
            await evidence.write_json(f"{attempt_folder(run, dataset, shard, number)}/started.json", marker)
        except AlreadyExistsError:
            continue
        return number
    raise AlreadyExistsError(
        f"claiming an attempt at shard {shard} of {dataset!r}",
        got=f"{MOST_ATTEMPTS} attempts in this run",
        expected="a free number",
        state="nothing was touched",
        remedy="start a new run",
        code="5022",
    )
