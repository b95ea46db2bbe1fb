"""Which objects' attributes a verification compares, and what of them did not arrive.

Attributes are in no listing and cost two requests an object. So they are compared of some of what this run
has moved; besides, of every object of which the copy has said that something of it is lost, and of every one
whose attributes differed when the dataset was verified before: what was lost once stays told until it is
mended, or the spec no longer asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from heavylift.errors import HeavyliftError, NotFoundError, PreconditionError
from heavylift.evidence.paths import shards_folder
from heavylift.evidence.records import EvidenceRef, ShardResult
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.compare import attribute_differences
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


async def take_copied(
    request: TransferRequest, evidence: EvidenceStore, work: Path, verdicts: Verdicts
) -> list[str]:
    """Take in what the run has moved; return of which objects the copy knows that an attribute is lost."""
    lost: list[str] = []
    path, about = work / "manifest.parquet", f"{request.dataset}: "
    for name in await evidence.names(shards_folder(request.run, request.dataset)):
        if name.endswith(".parquet"):
            await evidence.fetch(name, path)
            verdicts.take_manifest(path)
        elif name.endswith("/result.json"):
            notes = (await evidence.read_record(name, ShardResult)).notes
            lost += [
                note.subject.removeprefix(about)
                for note in notes
                if note.rule == ATTRIBUTE and KEPT_OTHERWISE not in note.detail
            ]
    return lost


async def unlike_before(state: Mapping[str, Any] | None, evidence: EvidenceStore, work: Path) -> list[str]:
    """Return the objects whose attributes differed when the dataset was last verified."""
    kept = (state or {}).get(UNLIKE)
    if kept is None:
        return []
    path = work / "unlike.parquet"
    await evidence.fetch(EvidenceRef.model_validate(kept).path, path)
    return sorted({row[0] for row in read_rows(path, ["rel"], "kind = ?", ATTRIBUTES)})


@dataclass(frozen=True)
class Compared:
    """Of how many objects a verification has compared the attributes, of how many that it could have.

    :param moved: whether these are what the run has moved; else all that both sides have.
    """

    objects: int
    of: int
    moved: bool = True

    @property
    def told(self) -> str:
        """In words, for a statement; empty where there was nothing to compare."""
        if not self.of:
            return ""
        if self.moved:
            return f"; attributes of {self.objects} of {self.of} moved objects were compared"
        return f"; attributes of all {self.objects} objects were compared"


async def judge_attributes(
    request: TransferRequest,
    source: ObjectStore,
    target: ObjectStore,
    verdicts: Verdicts,
    lost: list[str],
    before: list[str],
) -> Compared:
    """Compare the attributes of some of what was moved; of all that is there where the spec asks for it.

    :param lost: of which the copy knows that an attribute is lost.
    :param before: whose attributes differed when the dataset was last verified.
    """
    keep = request.options.metadata
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

    chosen, compared = _chosen(request, verdicts, lost, before)
    await for_each(chosen, judge, request.options.limits.max_concurrency)
    return compared


def _chosen(
    request: TransferRequest, verdicts: Verdicts, lost: list[str], before: list[str]
) -> tuple[Iterable[str], Compared]:
    """Return whose attributes are compared: never all names at once where that may be many."""
    named, moved = verdicts.on_both_sides([*lost, *before]), verdicts.moved()
    if not request.options.verify.all_attributes:
        drawn = verdicts.drawn(MOST_ATTRIBUTES)
        compared = Compared(len({*drawn, *verdicts.moved_of(lost)}), moved)
        return sorted({*drawn, *named}), compared
    if request.options.rolling is None:
        return verdicts.all_there(), Compared(verdicts.there(), verdicts.there(), moved=False)
    # The copy of the same run has compared the others whose turn it is.
    others = set(named) - set(verdicts.moved_of(named))
    return chain(sorted(others), verdicts.all_moved()), Compared(moved, moved)
