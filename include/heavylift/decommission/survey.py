"""What of a dataset may be deleted from the source: what the target has, and no rule keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from heavylift.decommission.kept import rule_of, rules_for
from heavylift.decommission.listings import Listings, judged
from heavylift.decommission.requests import LeavingRequest
from heavylift.decommission.rows import write_rows
from heavylift.evidence.decommission_records import LeftOut, PlannedObjects, plan_folder
from heavylift.evidence.records import utc_now
from heavylift.patterns import selector
from heavylift.platforms.containers import DescribesContainer
from heavylift.platforms.ports import ObjectStore
from heavylift.platforms.versions import Afterlife, TellsAfterlife
from heavylift.spec.moments import moment_of
from heavylift.spec.resolve import ResolvedDataset

ROWS_TYPE = "application/gzip"
NOT_OF_THE_DATASET = "not of the dataset: its patterns and filters leave it out, so it was never moved"
NOT_ON_TARGET = "the target has no object of this name and size"
DIFFERENT = "the target has another content under this name"
HISTORY = (
    "has older versions or delete markers, which were never copied; decommission.older_versions: true lets"
    " them be deleted too"
)


@dataclass(frozen=True)
class SurveyedDataset:
    """The part of a plan about one dataset."""

    planned: PlannedObjects
    left: tuple[LeftOut, ...]


async def survey_dataset(
    request: LeavingRequest, dataset: ResolvedDataset, plan: int, folder: Path
) -> SurveyedDataset:
    """List both sides, decide on each object, and keep the list as evidence.

    :param folder: on this machine, for the listings.
    """
    with Listings(folder / f"{dataset.name}.sqlite") as listings:
        async with request.open(dataset.source) as source, request.open(dataset.target) as target:
            await asyncio.gather(listings.read_source(source), listings.read_target(target))
            settings = await _settings(source)
            kept = await _afterlife(source)
        proved = _leave_out(request, dataset, listings)
        path = folder / f"{dataset.name}.jsonl.gz"
        rows_sha256 = write_rows(listings.chosen(), path)
        name = f"objects-{dataset.name}-{rows_sha256[:12]}.jsonl.gz"
        ref = await request.store.write_file(
            f"{plan_folder(request.spec.migration, plan)}/{name}", path, ROWS_TYPE
        )
        planned = PlannedObjects(
            dataset=dataset.name,
            url=dataset.source.url,
            connection=dataset.source.connection,
            by_version=listings.by_version,
            rows=ref,
            rows_sha256=rows_sha256,
            proof=proved,
            settings=settings,
            kept_seconds=kept.seconds,
            kept_detail=kept.detail,
            **listings.counts(),
        )
        return SurveyedDataset(planned, tuple(_left(dataset.name, listings)))


def _leave_out(request: LeavingRequest, dataset: ResolvedDataset, listings: Listings) -> str:
    """Leave out what must stay, and return what is known of the rest."""
    prefix = dataset.source.location.prefix
    rules = rules_for(request.section.keep, f"dataset/{dataset.name}", utc_now().date())
    selected = selector(dataset.include, dataset.exclude)
    listings.leave_out(
        (key, rule.reason, rule.until)
        for key in list(listings.keys())
        if (rule := rule_of(rules, key.removeprefix(prefix)))
    )
    listings.leave_out(
        (key, NOT_OF_THE_DATASET, "")
        for key in list(listings.keys())
        if not selected(key.removeprefix(prefix))
    )
    listings.leave_out((key, NOT_OF_THE_DATASET, "") for key in _filtered(dataset, listings))
    if not request.section.older_versions:
        listings.leave_out((key, HISTORY, "") for key in listings.with_history())
    return _judge(dataset, listings)


def _filtered(dataset: ResolvedDataset, listings: Listings) -> list[str]:
    """Return the keys that the dataset's bounds on size and age leave out."""
    now = utc_now()
    since, before = (
        None if text is None else int(moment_of(text, now).timestamp() * 1_000_000)
        for text in (dataset.modified_since, dataset.modified_before)
    )
    return listings.outside((dataset.min_size, dataset.max_size), (since, before))


def _judge(dataset: ResolvedDataset, listings: Listings) -> str:
    by_sum = by_size = 0
    against: list[tuple[str, str, str]] = []
    for key, size, sums, there, their_sums in listings.pairs(dataset.source.location.prefix):
        same = judged(sums, their_sums)
        if there != size:
            against.append((key, NOT_ON_TARGET, ""))
        elif same is False:
            against.append((key, DIFFERENT, ""))
        elif same:
            by_sum += 1
        else:
            by_size += 1
    listings.leave_out(against)
    return (
        f"on the target when the plan was made: {by_sum:,} by checksum, {by_size:,} by name and size, whose"
        " content the verification of the migration has compared"
    )


def _left(dataset: str, listings: Listings) -> Iterator[LeftOut]:
    for reason, until, objects, size in listings.left_out():
        yield LeftOut(
            component=f"dataset/{dataset}",
            what=f"{objects:,} objects, {size:,} bytes",
            reason=reason,
            until=until or "",
            objects=objects,
            size_bytes=size,
        )


async def _settings(store: ObjectStore) -> tuple[str, ...]:
    if not isinstance(store, DescribesContainer):
        return ()
    return tuple(f"{each.rule}: {each.detail}" for each in await store.describe_container())


async def _afterlife(store: ObjectStore) -> Afterlife:
    if isinstance(store, TellsAfterlife):
        return await store.afterlife()
    return Afterlife(None, "the store does not tell whether it, or a snapshot of it, keeps what is deleted")
