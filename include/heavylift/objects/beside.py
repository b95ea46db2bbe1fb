"""What is beside the bytes: named in the plan, so that nobody believes that it moves by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from heavylift.errors import HeavyliftError, TransientError
from heavylift.evidence.records import Finding, Severity, Tally
from heavylift.evidence.wording import counted, size
from heavylift.objects.classes import class_on_target, must_be_restored
from heavylift.objects.diff import Difference, Refused
from heavylift.objects.listing import Listing
from heavylift.objects.pool import for_each
from heavylift.objects.requests import SYNC, TransferRequest
from heavylift.platforms.containers import DescribesContainer
from heavylift.platforms.ports import ObjectStore
from heavylift.spec.vocabulary import Phase

Classes = Sequence[tuple[str, int, int]]
"""Storage class, objects, bytes."""

ARCHIVED = "must-be-restored"
"""The rule by which an object in an offline class is refused."""

ARCHIVED_REMEDY = "restore the object on the source first, or set on_unholdable_key: skip"


async def refuse_archived(
    request: TransferRequest, difference: Difference, source: Listing, store: ObjectStore
) -> None:
    """Take what would have to be copied but cannot be read yet out of the plan.

    On S3 an object stays in its class when it is restored, and no listing tells that it was: each is asked.
    """
    scheme = request.source.location.scheme
    classes = [
        name for name, _objects, _bytes in classes_of(difference, source) if must_be_restored(scheme, name)
    ]
    if not classes:
        return
    rows = difference.database.execute(
        "SELECT d.rel, s.storage_class FROM diff d JOIN read_parquet($source) s ON s.rel = d.rel"
        " WHERE list_contains($classes, s.storage_class) AND d.action IN ('copy', 'replace', 'compare')"
        " AND d.rel NOT IN (SELECT rel FROM refused)",
        {"source": str(source.path), "classes": classes},
    ).fetchall()
    refused: list[Refused] = []

    async def judge(row: tuple[str, str]) -> None:
        rel, name = row
        if scheme != "s3" or not await _is_restored(store, request.source.location.prefix + rel):
            refused.append(Refused(rel, ARCHIVED, f"it is in the class {name} and cannot be read now"))

    await for_each(rows, judge, request.options.limits.max_concurrency)
    difference.refuse(sorted(refused, key=lambda each: each.rel))


async def _is_restored(store: ObjectStore, key: str) -> bool:
    try:
        return (await store.head(key)).restored
    except TransientError:
        raise
    except HeavyliftError:
        return False  # It has gone, or may not be looked at: it cannot be read now in any case.


async def describe(
    request: TransferRequest, classes: Callable[[], Classes], store: ObjectStore
) -> list[Finding]:
    """Return notes on storage classes and on the settings of the source's container.

    :param classes: tells the source's storage classes.

    Not in a sync: what does not change needs no telling each hour, and costs requests.
    """
    if request.run.phase == SYNC:
        return []
    found = [_about_class(request, *row) for row in classes() if row[0]]
    if isinstance(store, DescribesContainer):
        found += [
            Finding(
                rule=trait.rule,
                severity=Severity.NOTE,
                subject=f"{request.dataset}: {request.source.location}",
                detail=trait.detail,
                remedy=trait.remedy,
            )
            for trait in await store.describe_container()
        ]
    return found


async def nothing_found(
    request: TransferRequest, found: Tally, filtered: Tally, source: ObjectStore
) -> list[Finding]:
    """Return a warning where there is nothing to move: most often the URL or a filter has a slip.

    Without it nothing at all would be proved equal, and look like everything. Only in a transfer: the source
    of a sync may have emptied, and a registry may have no artifacts.
    """
    if found.objects or request.run.phase != Phase.TRANSFER:
        return []
    single = await _single(request, source)
    left_out = f"; the filters leave out {counted(filtered.objects, 'object')}" if filtered.objects else ""
    return [
        Finding(
            rule="nothing-found",
            severity=Severity.WARNING,
            subject=f"{request.dataset}: {request.source.location}",
            detail=f"no object is there to move{left_out}{single and f': {single} is an object, no folder'}",
            remedy=f"name its folder, and it alone by include: [{single.rpartition('/')[2]!r}]"
            if single
            else "correct the URL or the filters, or leave the dataset out until it has objects",
        )
    ]


async def _single(request: TransferRequest, source: ObjectStore) -> str:
    """Return the object that a URL names where a folder was to stand; empty where there is none."""
    key = request.source.location.prefix.removesuffix("/")
    try:
        return (await source.head(key)).object.key if key else ""
    except TransientError:
        raise
    except HeavyliftError:
        return ""  # Most often there is none, and nobody has asked for one.


def _about_class(request: TransferRequest, name: str, objects: int, size_bytes: int) -> Finding:
    source, target = request.source.location.scheme, request.target.location.scheme
    goal = class_on_target(source, target, name, request.options.storage_class)
    arrives = f"in the class {goal}" if goal else "in the target's default class"
    return Finding(
        rule="storage-class",
        severity=Severity.NOTE,
        subject=request.dataset,
        detail=f"{counted(objects, 'object')} ({size(size_bytes)}) in the class {name} arrive {arrives}",
        remedy="set storage_class: keep, or name the classes, if they are to arrive in another one",
    )


def classes_of(difference: Difference, source: Listing) -> list[tuple[str, int, int]]:
    """Return the storage classes of a listing, each with its objects and bytes."""
    return difference.database.execute(
        "SELECT coalesce(storage_class, ''), count(*), sum(size_bytes)::BIGINT FROM read_parquet(?)"
        " GROUP BY 1 ORDER BY 1",
        [str(source.path)],
    ).fetchall()
