"""Attempts at a device's work: each has a folder or number of its own, the latest record counts."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable

from heavylift.errors import AlreadyExistsError
from heavylift.evidence.parsing import RecordT
from heavylift.evidence.records import utc_now
from heavylift.evidence.run_evidence import Kept, read_latest
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.appliances.places import device_path
from heavylift.objects.appliances.requests import ApplianceRequest

MOST_ATTEMPTS = 999


async def claim(evidence: EvidenceStore, folder_of: Callable[[int], str], *, what: str) -> int:
    """Claim the first free attempt number by a create-only write."""
    marker = {"claimed_at": utc_now().isoformat(), "process": os.getpid(), "nonce": uuid.uuid4().hex}
    for number in range(1, MOST_ATTEMPTS + 1):
        try:
            await evidence.write_json(f"{folder_of(number)}/started.json", marker)
        except AlreadyExistsError:
            continue
        return number
    raise AlreadyExistsError(
        f"claiming an attempt at the {what}",
        got=f"{MOST_ATTEMPTS} attempts",
        expected="a free number",
        state="nothing was touched",
        remedy="plan in a new run",
        code="5730",
    )


async def latest_record(
    evidence: EvidenceStore, request: ApplianceRequest, device: str, kind: str, model: type[RecordT]
) -> Kept[RecordT] | None:
    """Return a device's latest record of a kind (``load``, ``check``, …), or None."""
    return await read_latest(
        evidence, lambda number: device_path(request.run, request.dataset, device, kind, number), model
    )
