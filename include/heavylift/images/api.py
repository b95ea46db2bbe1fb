"""What operators and commands call: list, copy and compare images."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Literal

from heavylift.errors import IncompleteError
from heavylift.evidence.canonical import canonical_json, sha256_hex
from heavylift.evidence.image_records import NOT_COPIED, ImageRow, ImagesRecord
from heavylift.evidence.records import utc_now
from heavylift.images.moving import Copier, row
from heavylift.images.opening import open_registries
from heavylift.images.planning import Chosen, plan_images
from heavylift.images.requests import ImagesRequest
from heavylift.images.verifying import Comparer

log = logging.getLogger(__name__)
PARALLEL = 4
"""Images on the way at once; their blobs are bounded by ``containers.parallel`` over all of them."""
_SHOWN = 5
Act = Literal["list", "copy", "verify"]


async def list_images(request: ImagesRequest) -> ImagesRecord:
    """Tell which images would move, their digests now, and what they would be called; writes nothing.

    :raises CredentialError: the source refuses the credentials.
    :raises SpecError: no image is selected.
    """
    return await _all(request, "list")


async def copy_images(request: ImagesRequest) -> ImagesRecord:
    """Copy all selected images to the target by digest, and tell what became of each.

    A tag is pinned to the digest that it has when the plan is made. Every byte is hashed on its way, and
    compared with its name before the target keeps it; a tag is put when all below it is there, and looked
    at again. One image that fails does not keep the others.

    Idempotency: what the target has is found there, blob by blob; a run after a kill sends only the rest,
    and a second run writes nothing. A tag at another digest is moved only with ``conflict: overwrite``.

    :raises CredentialError: a registry refuses the credentials.
    :raises ConnectionConfigError: a connection's credentials are for another registry.
    :raises SpecError: no image is selected.
    """
    return await _all(request, "copy")


async def verify_images(request: ImagesRequest) -> ImagesRecord:
    """Compare all selected images on both sides through the API; changes nothing.

    Tags, every manifest's bytes, every blob's presence and size, and lists of referrers; with
    ``request.deep`` every blob of the target's is read and hashed.

    :raises CredentialError: as :func:`copy_images`.
    """
    return await _all(request, "verify")


async def _all(request: ImagesRequest, act: Act) -> ImagesRecord:
    started = utc_now()
    async with open_registries(request) as (source, target):
        plan = await plan_images(request, source)
        does: dict[str, Callable[[Chosen], Awaitable[ImageRow]]] = {
            "list": _listed,
            "copy": Copier(request, source, target, plan).copy,
            "verify": Comparer(request, source, target, plan).verify,
        }
        rows = await _each(plan.chosen, does[act])
    return _record(request, act, rows, started)


async def _listed(each: Chosen) -> ImageRow:
    if each.refused:
        return row(each, "refused", reason=each.refused, remedy=each.remedy, code=each.code)
    return row(each, "to_copy")


async def _each(chosen: Iterable[Chosen], act: Callable[[Chosen], Awaitable[ImageRow]]) -> list[ImageRow]:
    limit = asyncio.Semaphore(PARALLEL)

    async def one(each: Chosen) -> ImageRow:
        async with limit:
            found = await act(each)
        log.info("%s: %s, %s blobs sent", found.source, found.outcome, found.sent)
        return found

    tasks = [asyncio.ensure_future(one(each)) for each in chosen]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _record(request: ImagesRequest, act: Act, rows: list[ImageRow], started: datetime) -> ImagesRecord:
    def count(*outcomes: str) -> int:
        return sum(each.outcome in outcomes for each in rows)

    content = [each.model_dump(mode="json") for each in rows]
    failed = count(*NOT_COPIED)
    written = not request.dry_run
    return ImagesRecord(
        run=request.run,
        act=act,
        started_at=started,
        source=request.wanted.source,
        target=request.wanted.target,
        found=len(rows),
        copied=count("copied"),
        equal=count("equal"),
        skipped=count("skipped"),
        failed=failed,
        planned=count("to_copy"),
        sent=sum(each.sent for each in rows) if written else 0,
        sent_bytes=sum(each.sent_bytes for each in rows) if written else 0,
        digest=sha256_hex(canonical_json({"rows": content})),
        passed=not failed,
        rows=tuple(rows),
    )


def require_all(record: ImagesRecord) -> None:
    """Do nothing where every image is where it should be.

    :raises IncompleteError: some are not; the first are named.
    """
    if record.passed:
        return
    wrong = [each for each in record.rows if each.outcome in NOT_COPIED]
    named = "; ".join(f"{each.source}: {each.outcome}, {each.reason}" for each in wrong[:_SHOWN])
    raise IncompleteError(
        f"{record.act} of images",
        got=f"{record.failed} of {record.found} that are not proved ({named})",
        expected="every image the same digest on both sides",
        state=f"{record.copied} copied, {record.equal} equal before; all stay",
        remedy=wrong[0].remedy or "see the record's rows for each image's remedy",
        code="9171",
    )
