"""Bringing objects back from quarantine, and ending their stay there for good."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from heavylift.errors import AlreadyExistsError, HeavyliftError, NotFoundError, PreconditionError
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import MAX_LISTED, EvidenceRef, Failure, Record, Tally, utc_now
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.pool import for_each
from heavylift.objects.quarantine import copier_within, move_within, quarantine_prefix, quarantine_root
from heavylift.objects.requests import TransferRequest
from heavylift.objects.sessions import evidence_of, open_both
from heavylift.patterns import selector
from heavylift.platforms.deleting import delete_version
from heavylift.platforms.ports import ObjectStore


class QuarantineRecord(Record):
    """What a restore or a purge did. Adds up: ``found = done + kept + failed``.

    :param kept: of a restore, what stays in quarantine as something lies under its key again.
    :param objects: the first of those that were dealt with, as ``run/key``.
    """

    schema_version: Literal["heavylift/quarantine/v1"] = "heavylift/quarantine/v1"
    act: Literal["restore", "purge"]
    dataset: str
    target_url: str
    at: datetime
    dry_run: bool = False
    found: Tally
    done: Tally = Tally()
    kept: Tally = Tally()
    failed: Tally = Tally()
    objects: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class _Aside:
    """One object in quarantine."""

    run: str
    rel: str
    size_bytes: int
    version: str
    modified_us: int


async def restore_quarantined(
    request: TransferRequest, *, run: str | None = None
) -> tuple[QuarantineRecord, EvidenceRef | None]:
    """Move objects from the quarantine back under their keys, each copied and proved first.

    The request's include and exclude choose the keys. Where several runs have put the same key
    aside, the latest put aside comes back. Nothing on the target is overwritten: what lies under
    a key again keeps it, and the object stays in quarantine. What was restored counts as
    somebody else's from then on, so that no later sync deletes it again.

    Idempotent: a second call does the rest.

    :param run: only what this run has put aside.
    """
    async with evidence_of(request) as evidence, open_both(request) as (_source, target):
        chosen: dict[str, _Aside] = {}
        async for item in _asides(request, target):
            if run in {None, item.run}:
                there = chosen.get(item.rel)
                chosen[item.rel] = item if there is None or item.modified_us > there.modified_us else there
        prefix = request.target.location.prefix
        copiers = {
            name: copier_within(request, evidence, target, quarantine_prefix(prefix, name), prefix)
            for name in {item.run for item in chosen.values()}
        }

        async def bring_back(item: _Aside) -> bool:
            try:
                there = await target.head(prefix + item.rel)
            except NotFoundError:
                there = None
            if there is not None and there.object.size_bytes != item.size_bytes:
                return False
            await move_within(copiers[item.run], item.rel, item.size_bytes, item.version)
            return True

        return await _carry_out(request, evidence, "restore", list(chosen.values()), bring_back)


async def purge_quarantined(
    request: TransferRequest, older_than: timedelta
) -> tuple[QuarantineRecord, EvidenceRef | None]:
    """Delete for good what has been in quarantine for longer than ``older_than``.

    Only objects in the dataset's own quarantine, each in the version that was listed.
    """
    async with evidence_of(request) as evidence, open_both(request) as (_source, target):
        before_us = int((utc_now() - older_than).timestamp() * 1e6)
        old = [item async for item in _asides(request, target) if item.modified_us < before_us]
        prefix = request.target.location.prefix

        async def end(item: _Aside) -> bool:
            key = quarantine_prefix(prefix, item.run) + item.rel
            try:
                await delete_version(target, key, item.version)
            except NotFoundError:
                return True
            return True

        return await _carry_out(request, evidence, "purge", old, end)


async def _asides(request: TransferRequest, target: ObjectStore) -> AsyncIterator[_Aside]:
    root = quarantine_root(request.target.location.prefix)
    selected = selector(request.options.include, request.options.exclude)
    async for page in target.list_pages(root):
        for item in page:
            run, slash, rel = item.key[len(root) :].partition("/")
            if slash and rel and selected(rel):
                yield _Aside(run, rel, item.size_bytes, item.version, item.modified_us)


async def _carry_out(
    request: TransferRequest,
    evidence: EvidenceStore,
    act: Literal["restore", "purge"],
    items: list[_Aside],
    work: Callable[[_Aside], Awaitable[bool]],
) -> tuple[QuarantineRecord, EvidenceRef | None]:
    tallies = {"done": Tally(), "kept": Tally(), "failed": Tally()}
    objects: list[str] = []
    failures: list[Failure] = []

    async def one(item: _Aside) -> None:
        outcome = "kept"
        try:
            outcome = "done" if await work(item) else "kept"
        except (AlreadyExistsError, PreconditionError):
            outcome = "kept"
        except HeavyliftError as error:
            outcome = "failed"
            failures.append(Failure(key=item.rel, error=error.attrs()))
        tallies[outcome] += Tally(objects=1, size_bytes=item.size_bytes)
        if outcome == "done":
            objects.append(f"{item.run}/{item.rel}")

    if not request.options.dry_run:
        await for_each(items, one, request.options.limits.max_concurrency)
    at = utc_now()
    record = QuarantineRecord(
        act=act,
        dataset=request.dataset,
        target_url=str(request.target.location),
        at=at,
        dry_run=request.options.dry_run,
        found=Tally(objects=len(items), size_bytes=sum(item.size_bytes for item in items)),
        **tallies,
        objects=tuple(sorted(objects)[:MAX_LISTED]),
        failures=tuple(failures[:MAX_LISTED]),
    )
    if request.options.dry_run:
        return record, None
    folder = f"{request.run.migration}/quarantine/{safe_segment(request.dataset)}"
    return record, await evidence.write_json(f"{folder}/{at:%Y%m%dT%H%M%S.%f}-{act}.json", record)
