"""What a verification leaves behind for the next run: inventory, hash tree and watermark."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from heavylift.evidence.paths import verification_path
from heavylift.evidence.records import EvidenceRef, Tally, utc_now
from heavylift.evidence.state import StateLog
from heavylift.evidence.store import PARQUET, EvidenceStore
from heavylift.objects.attributes import UNLIKE
from heavylift.objects.requests import TransferRequest
from heavylift.objects.rolling import Slice
from heavylift.objects.standing import Standing
from heavylift.objects.state import inventory_path
from heavylift.objects.tree import build_tree, write_tree
from heavylift.objects.verdicts import Verdicts


@dataclass(frozen=True)
class StateOfSides:
    """The state that a verification has found, as files on this machine and as its root digest."""

    inventory: Path
    tree: Path
    root: str
    objects: Tally


def describe_state(request: TransferRequest, verdicts: Verdicts, work: Path) -> StateOfSides:
    """Write the inventory and its hash tree into ``work``."""
    inventory, tree = work / "inventory.parquet", work / "tree.parquet"
    verdicts.write_inventory(inventory)
    nodes = build_tree(inventory, request.options.limits.memory_budget)
    write_tree(tree, nodes)
    total = Tally(objects=nodes[0].objects, size_bytes=nodes[0].size_bytes)
    return StateOfSides(inventory, tree, nodes[0].digest, total)


async def keep_tree(
    request: TransferRequest, evidence: EvidenceStore, number: int, found: StateOfSides
) -> EvidenceRef:
    """Keep the hash tree of verification ``number`` as evidence."""
    digest = _sha256(found.tree)[:16]
    base = verification_path(request.run, request.dataset, number).removesuffix(".json")
    return await evidence.write_file(f"{base}-tree-{digest}.parquet", found.tree, PARQUET)


async def keep_state(
    request: TransferRequest,
    evidence: EvidenceStore,
    number: int,
    found: StateOfSides,
    tree: EvidenceRef,
    *,
    listed_at: datetime,
    slice_: Slice | None,
    before: Mapping[str, Any] | None,
    standing: Standing | None,
    unlike: EvidenceRef | None = None,
) -> None:
    """Make what verification ``number`` has found the dataset's sync state, the watermark included.

    :param listed_at: when its listing of the source began: what the source has done until then
        is in the state.
    :param before: the state until now; an inventory that has not changed is not written again.
    :param standing: what holds as long as listings stay the same.
    :param unlike: rows that name objects whose attributes differ; the next verification looks at them again.
    """
    run, dataset = request.run, request.dataset
    inventory = (before or {}).get("inventory")
    if inventory is None or inventory["sha256"] != _sha256(found.inventory):
        path = inventory_path(run, dataset, number)
        inventory = (await evidence.write_file(path, found.inventory, PARQUET)).model_dump(mode="json")
    state = {
        "inventory": inventory,
        "tree": tree.model_dump(mode="json"),
        "root": found.root,
        "objects": found.objects.objects,
        "size_bytes": found.objects.size_bytes,
        "source_url": str(request.source.location),
        "target_url": str(request.target.location),
        "listed_at": listed_at.isoformat(),
        "run": run.folder,
        "at": utc_now().isoformat(),
        "rolling": _turn(slice_, before),
    }
    if unlike is not None:
        state[UNLIKE] = unlike.model_dump(mode="json")
    if standing is not None:
        state["standing"] = standing.model_dump(mode="json")
    await StateLog(evidence, run.migration, dataset).append(state)


async def carry_state(
    request: TransferRequest,
    evidence: EvidenceStore,
    before: Mapping[str, Any],
    *,
    listed_at: datetime,
    slice_: Slice | None,
) -> None:
    """Say that the state ``before`` still holds, as this run has found; see :func:`keep_state`."""
    now = {"listed_at": listed_at.isoformat(), "run": request.run.folder, "at": utc_now().isoformat()}
    state = {**before, **now, "rolling": _turn(slice_, before)}
    await StateLog(evidence, request.run.migration, request.dataset).append(state)


def _turn(slice_: Slice | None, before: Mapping[str, Any] | None) -> Mapping[str, int] | None:
    # A verification without slices leaves the turn where it was.
    return {"slice": slice_.index, "of": slice_.of} if slice_ else (before or {}).get("rolling")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
