"""What Heavylift already knows of a dataset from earlier runs, kept in the evidence store.

The sync state is a numbered log; its last entry points to the inventory: one row for each
object proved equal, with both versions. Runs that ended before their verification left only
manifests; those count too, so that a killed run's objects are known as Heavylift's own.
"""

from __future__ import annotations

import re
from pathlib import Path

from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import EvidenceRef, RunKey
from heavylift.evidence.state import StateLog
from heavylift.evidence.store import EvidenceStore

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
    """Fetch the last inventory and the manifests of runs that never came to a verification."""
    paths: list[str] = []
    inventory = await latest_inventory(evidence, migration, dataset)
    if inventory:
        paths.append(inventory.path)
    paths += await _uncovered_manifests(evidence, migration, safe_segment(dataset))
    local: list[Path] = []
    for number, path in enumerate(paths):
        local.append(work / f"known-{number}.parquet")
        await evidence.fetch(path, local[-1])
    return local


async def _uncovered_manifests(evidence: EvidenceStore, migration: str, dataset: str) -> list[str]:
    names = [name for phase in PHASES for name in await evidence.names(f"{migration}/{phase}")]
    covered = {m["run"] for m in map(_INVENTORY.fullmatch, names) if m and m["dataset"] == dataset}
    found = (m for m in map(_MANIFEST.fullmatch, names) if m and m["dataset"] == dataset)
    # What devices brought was proved when they were reconciled, and no transfer's inventory covers it.
    brought = (m for m in map(_RECONCILED.fullmatch, names) if m and m["dataset"] == dataset)
    return [m.string for m in found if m["run"] not in covered] + [m.string for m in brought]
