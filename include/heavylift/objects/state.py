"""What Heavylift already knows of a dataset from earlier runs, kept in the evidence store.

The sync state is a numbered log; its last entry points to the inventory: one row for each
object proved equal, with both versions. Runs that ended before their verification left only
manifests; those count too, so that a killed run's objects are known as Heavylift's own.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import EvidenceRef, RunKey
from heavylift.evidence.state import StateLog
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.known import tells_origin

PHASES = ("transfer", "sync", "appliance")
_MANIFEST = re.compile(r"(?P<run>[^/]+/[^/]+/[^/]+)/(?P<dataset>[^/]+)/shards/\d+/\d+/manifest-\d+\.parquet")
_RECONCILED = re.compile(r"[^/]+/appliance/[^/]+/(?P<dataset>[^/]+)/devices/[^/]+/known-[^/]+\.parquet")
_INVENTORY = re.compile(r"(?P<run>[^/]+/[^/]+/[^/]+)/(?P<dataset>[^/]+)/inventory-\d+\.parquet")


def inventory_path(run: RunKey, dataset: str, number: int) -> str:
    """Return the path of the inventory that verification ``number`` of a run wrote."""
    return f"{run.folder}/{safe_segment(dataset)}/inventory-{number}.parquet"


async def latest_inventory(evidence: EvidenceStore, migration: str, dataset: str) -> EvidenceRef | None:
    """Return the inventory of the last verification, or None before the first."""
    entry = await StateLog(evidence, migration, dataset).latest()
    return EvidenceRef.model_validate(entry["inventory"]) if entry else None


async def fetch_known(evidence: EvidenceStore, migration: str, dataset: str, work: Path) -> list[Path]:
    """Fetch the last inventory, and the manifests that no verification has taken in yet.

    Where the inventory does not tell who wrote its objects (versions before 0.2), all manifests
    are fetched.
    """
    inventory = await latest_inventory(evidence, migration, dataset)
    local: list[Path] = []
    if inventory:
        local.append(work / "known-inventory.parquet")
        await evidence.fetch(inventory.path, local[0])
    whole = bool(local) and not tells_origin(local[0])
    for number, path in enumerate(await _manifests(evidence, migration, safe_segment(dataset), whole=whole)):
        local.append(work / f"known-{number}.parquet")
        await evidence.fetch(path, local[-1])
    return local


async def _manifests(evidence: EvidenceStore, migration: str, dataset: str, *, whole: bool) -> list[str]:
    """Return the manifests that are younger than their run's last inventory, or all (``whole``)."""
    manifests: dict[str, tuple[str, datetime]] = {}
    covered_at: dict[str, datetime] = {}
    reconciled: list[str] = []
    for phase in PHASES:
        async for file in evidence.files(f"{migration}/{phase}"):
            manifest = _MANIFEST.fullmatch(file.path)
            brought = _RECONCILED.fullmatch(file.path)
            if brought and brought["dataset"] == dataset:
                # Proved when they were reconciled; no transfer's inventory covers them.
                reconciled.append(file.path)
            inventory = _INVENTORY.fullmatch(file.path)
            found = manifest or inventory
            if found is None or found["dataset"] != dataset:
                continue
            if manifest:
                manifests[file.path] = (found["run"], file.modified_at)
            else:
                covered_at[found["run"]] = max(
                    covered_at.get(found["run"], file.modified_at), file.modified_at
                )
    uncovered = sorted(
        path
        for path, (run, written_at) in manifests.items()
        if whole or run not in covered_at or written_at >= covered_at[run]
    )
    return uncovered + sorted(reconciled)
