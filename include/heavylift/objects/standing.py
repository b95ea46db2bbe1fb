"""A proof that stands: as long as both sides list the same pages, what was proved of them is true.

A verification that found everything equal leaves behind a digest of each page of both listings, the
rows, and what a plan would say of them. A later run whose listings have the very same pages has the
same rows, so it need neither compare nor write them again; see ADR 10.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from heavylift import __version__
from heavylift.errors import AuditError, NotFoundError
from heavylift.evidence.base import Record
from heavylift.evidence.canonical import canonical_json, sha256_hex
from heavylift.evidence.parsing import parse_record
from heavylift.evidence.paths import dataset_folder
from heavylift.evidence.records import EvidenceRef, Tally, VerificationRecord
from heavylift.evidence.state import StateLog
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.apart import refuse_overlaps
from heavylift.objects.relisting import PageList, Relisting
from heavylift.objects.requests import SYNC, TransferRequest
from heavylift.objects.sessions import evidence_of
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectStore, PassesBy
from heavylift.spec.vocabulary import Deletes, VerifyMethod, VerifyMode, Via

MOST_PAGES = 100_000
"""Of one side: with more, their digests would take more memory than they are worth."""

_PHASES = ("transfer", SYNC, "registry")
_FORM = 1
"""Another one makes what earlier versions have left behind void."""


class PageLists(Record):
    """The pages of both sides, as one evidence file."""

    schema_version: Literal["heavylift/pages/v1"] = "heavylift/pages/v1"
    source: PageList
    target: PageList


class Standing(Record):
    """What holds as long as both listings are, page by page, those of one verification.

    :param settings: digest of what the comparison depended on besides the listings.
    :param run: the run whose verification compared every row; ``verification`` is its record.
    :param found: the source's objects without those that filters leave out.
    :param extra: the target's objects that the source does not have.
    :param by_listing: objects that the listings alone prove equal, by checksum.
    :param by_content: objects that were proved by looking at them.
    :param classes: of the source: storage class, objects, bytes.
    """

    settings: str
    run: str
    verification: EvidenceRef
    pages: EvidenceRef
    source: Tally
    target: Tally
    found: Tally
    filtered: Tally
    extra: Tally
    by_listing: dict[str, int]
    by_content: int
    classes: tuple[tuple[str, int, int], ...]


def settings_of(request: TransferRequest) -> str:
    """Return a digest of all that decides what a listing means; another one voids a standing proof."""
    options = request.options
    meant = {
        "version": __version__,
        "form": _FORM,
        "dataset": request.dataset,
        "places": [_identity(request.source), _identity(request.target)],
        "patterns": [options.include, options.exclude],
        "filters": vars(options.filters),
        "on_conflict": options.on_conflict,
        "on_unholdable_key": options.on_unholdable_key,
        "metadata": options.metadata.model_dump(mode="json", exclude={"look_at_all"}),
        "verify": options.verify.model_dump(mode="json", exclude={"rolling"}),
        "storage_class": options.storage_class.model_dump(mode="json"),
        "deletes": options.deletes if request.run.phase == SYNC else Deletes.KEEP,
        "via": options.via,
    }
    return sha256_hex(canonical_json(meant))


def _identity(place: Place) -> list[object]:
    connection = place.connection
    if connection is None:
        return [str(place.location)]
    told = [connection.extra.get(name) for name in ("endpoint_url", "service_config")]
    return [
        str(place.location),
        connection.conn_type,
        connection.host,
        connection.port,
        connection.login,
        *told,
    ]


def may_stand(request: TransferRequest) -> bool:
    """Tell whether proofs of such a request can stand at all.

    A sample proves nothing of the rest, reading back and asking for attributes are to be done each time,
    ages move with the clock, and a transfer service has a look of its own.
    """
    options = request.options
    return (
        request.run.phase in _PHASES
        and not options.dry_run
        and options.via is Via.HEAVYLIFT
        and options.verify.mode is VerifyMode.FULL
        and options.verify.method is VerifyMethod.PROVIDER
        and not options.verify.all_attributes
        and options.filters.modified_since is None
        and options.filters.modified_before is None
    )


def nothing_is_open(request: TransferRequest, record: VerificationRecord, found: Tally) -> bool:
    """Tell whether a verification leaves nothing that the next run would have to do or to say."""
    gone_matter = request.run.phase == SYNC and request.options.deletes is not Deletes.KEEP
    return (
        record.passed
        and record.equal == found
        and not (record.accepted or record.newer_on_source)
        and not (record.extra and gone_matter)
    )


def brings_attributes(request: TransferRequest) -> bool:
    """Tell whether attributes follow that the source gives an object whose bytes stay.

    A transfer service has rules of its own for them.
    """
    keep = request.options.metadata
    carries = keep.content_headers or keep.user_metadata or keep.tags
    return request.options.via is Via.HEAVYLIFT and carries


def passes_by(store: ObjectStore) -> bool:
    """Tell whether a store's listing has met what is no object: each run names it."""
    return isinstance(store, PassesBy) and bool(store.unlisted)


@dataclass(frozen=True)
class Recalled:
    """A proof that stands if both sides list ``pages`` again."""

    standing: Standing
    pages: tuple[PageList, PageList]


async def recall(
    request: TransferRequest, evidence: EvidenceStore, state: Mapping[str, Any] | None
) -> Recalled | None:
    """Return the proof that may still stand for such a request, and the pages on which it rests.

    :param state: the dataset's sync state. Where what it points to is not there as it was, nothing
        is recalled: everything is then compared as if there were no such proof.
    """
    kept = (state or {}).get("standing")
    if kept is None or state is None or not may_stand(request):
        return None
    standing = Standing.model_validate(kept)
    if standing.settings != settings_of(request):
        return None
    try:
        lists = parse_record(standing.pages.path, await evidence.read_verified(standing.pages), PageLists)
    except (AuditError, NotFoundError):
        return None
    inventory, tree = (EvidenceRef.model_validate(state[name]) for name in ("inventory", "tree"))
    rests_on = (lists.source.rows, lists.target.rows, inventory, tree, standing.verification)
    there = await asyncio.gather(*(evidence.exists(ref.path) for ref in rests_on))
    return Recalled(standing, (lists.source, lists.target)) if all(there) else None


async def keep_pages(
    request: TransferRequest,
    evidence: EvidenceStore,
    sides: tuple[Relisting, Relisting],
    rows: tuple[EvidenceRef, EvidenceRef],
) -> EvidenceRef | None:
    """Keep the pages of both sides beside their rows; None where they are too many."""
    lists = []
    for side, ref in zip(sides, rows, strict=True):
        if len(side.pages) > MOST_PAGES:
            return None
        pages = tuple((p.number, p.digest, p.objects, p.size_bytes) for p in side.pages)
        lists.append(PageList(rows=ref, pages=pages))
    data = canonical_json(PageLists(source=lists[0], target=lists[1]))
    path = f"{dataset_folder(request.run, request.dataset)}/pages-{sha256_hex(data)[:16]}.json"
    return await evidence.write_json(path, PageLists(source=lists[0], target=lists[1]))


async def proved_before(request: TransferRequest) -> bool:
    """Tell whether a proof may stand for such a request; if so, its plan may well be made without a diff.

    :raises SpecError: what is copied, its copy and its evidence do not lie apart; nothing was touched.
    """
    refuse_overlaps(request)
    async with evidence_of(request) as evidence:
        state = await StateLog(evidence, request.run.migration, request.dataset).latest()
    kept = (state or {}).get("standing")
    return kept is not None and may_stand(request) and kept["settings"] == settings_of(request)
