"""Which objects' attributes a verification compares, and what of them did not arrive.

Attributes are in no listing and cost two requests an object. So they are compared of some of what this run
has moved; besides, of every object of which the copy has said that something of it is lost, and of every one
whose attributes differed when the dataset was verified before: what was lost once stays told until it is
mended, or the spec no longer asks for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heavylift.errors import HeavyliftError, NotFoundError, PreconditionError
from heavylift.evidence.paths import shards_folder
from heavylift.evidence.records import EvidenceRef, ShardResult
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.compare import attribute_differences
from heavylift.objects.manifest import SKIPPED, read_rels
from heavylift.objects.pool import for_each
from heavylift.objects.requests import TransferRequest
from heavylift.objects.row_files import read_rows
from heavylift.objects.undecided import Sides, why_undecided
from heavylift.objects.verdicts import ATTRIBUTES, Verdicts
from heavylift.platforms.ports import ObjectAttributes, ObjectStore
from heavylift.platforms.tags import KEPT_OTHERWISE

MOST_ATTRIBUTES = 300
"""So many moved objects, drawn at random, are compared in one run, all where there are fewer."""
ATTRIBUTE = "attribute"
"""The rule of a copy's note about an attribute."""
UNLIKE = "unlike"
"""The entry of a dataset's state that names the rows of a verification which found attributes to differ."""


@dataclass(frozen=True)
class Copied:
    """What the shards of this run say of their objects.

    :param skipped: left behind, as another object on the target may stay.
    :param lost: of which an attribute is known to be lost.
    """

    moved: tuple[str, ...]
    skipped: tuple[str, ...]
    lost: tuple[str, ...]


async def read_copied(request: TransferRequest, evidence: EvidenceStore, work: Path) -> Copied:
    """Read manifests and results of all shards of the run."""
    moved: list[str] = []
    skipped: list[str] = []
    lost: list[str] = []
    path, about = work / "manifest.parquet", f"{request.dataset}: "
    for name in await evidence.names(shards_folder(request.run, request.dataset)):
        if name.endswith(".parquet"):
            await evidence.fetch(name, path)
            moved += read_rels(path, "moved")
            skipped += read_rels(path, SKIPPED)
        elif name.endswith("/result.json"):
            notes = (await evidence.read_record(name, ShardResult)).notes
            lost += [
                note.subject.removeprefix(about)
                for note in notes
                if note.rule == ATTRIBUTE and KEPT_OTHERWISE not in note.detail
            ]
    return Copied(tuple(moved), tuple(skipped), tuple(lost))


async def unlike_before(state: Mapping[str, Any] | None, evidence: EvidenceStore, work: Path) -> list[str]:
    """Return the objects whose attributes differed when the dataset was last verified."""
    kept = (state or {}).get(UNLIKE)
    if kept is None:
        return []
    path = work / "unlike.parquet"
    await evidence.fetch(EvidenceRef.model_validate(kept).path, path)
    return sorted({row[0] for row in read_rows(path, ["rel"], "kind = ?", ATTRIBUTES)})


async def judge_attributes(
    request: TransferRequest,
    source: ObjectStore,
    target: ObjectStore,
    verdicts: Verdicts,
    copied: Copied,
    before: list[str],
) -> tuple[int, int]:
    """Compare attributes; return how many moved objects were compared, of how many."""
    keep = request.options.metadata
    drawn = sorted(copied.moved, key=lambda rel: hashlib.sha256(rel.encode()).digest())[:MOST_ATTRIBUTES]
    known = verdicts.on_both_sides([*copied.lost, *before])
    compared = set(drawn) | (set(copied.lost) & set(copied.moved))
    answering = Sides(source, target)

    async def attributes(store: ObjectStore, key: str) -> tuple[ObjectAttributes, str]:
        head = await store.head(key)
        if not keep.tags or head.tag_count == 0:
            return head.attributes, head.object.version
        return replace(head.attributes, tags=await store.tags(key)), head.object.version

    async def judge(rel: str) -> None:
        try:
            one, version = await attributes(source, request.source.location.prefix + rel)
            other, arrived = await attributes(target, request.target.location.prefix + rel)
        except (NotFoundError, PreconditionError):
            return  # The content verdict tells what is missing; it needs no second one.
        except HeavyliftError as error:
            verdicts.unequal(rel, ATTRIBUTES, await why_undecided(error, answering), "")
            return
        found = attribute_differences(one, other, keep, tags=source.traits.keeps_tags)
        # What has changed since it was listed is not what was compared: the next run's business.
        if found and verdicts.listed_versions(rel) == (version, arrived):
            verdicts.unequal(rel, ATTRIBUTES, "; ".join(found), "")

    await for_each(sorted({*drawn, *known}), judge, request.options.limits.max_concurrency)
    return len(compared), len(copied.moved)
