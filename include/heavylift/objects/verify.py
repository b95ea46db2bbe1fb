"""Verifying a dataset: both sides listed afresh and every object compared, whoever moved it."""

from __future__ import annotations

import hashlib
import tempfile
import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from heavylift.errors import NotFoundError, PreconditionError
from heavylift.evidence.numbered import latest_number, write_next
from heavylift.evidence.paths import plan_path, shards_folder, verification_path
from heavylift.evidence.records import PlanRecord, Tally, VerificationRecord, utc_now
from heavylift.evidence.state import StateLog
from heavylift.evidence.store import PARQUET, EvidenceStore
from heavylift.objects.compare import attribute_differences
from heavylift.objects.diff import Difference, without
from heavylift.objects.listing import Listing, list_both, read_listing
from heavylift.objects.manifest import read_moved_rels
from heavylift.objects.pool import for_each
from heavylift.objects.requests import TransferRequest
from heavylift.objects.rolling import PROVED_BEFORE, Slice, look, next_slice
from heavylift.objects.sessions import evidence_of, open_both
from heavylift.objects.state import fetch_known
from heavylift.objects.state_keeping import describe_state, keep_state, keep_tree
from heavylift.objects.verdicts import Verdicts
from heavylift.patterns import selector
from heavylift.platforms.ports import ObjectAttributes, ObjectStore
from heavylift.spec.datasets import Sample
from heavylift.spec.vocabulary import VerifyMethod, VerifyMode

MOST_ATTRIBUTES = 300
"""Attributes are in no listing and cost two requests an object: so many moved objects, drawn at
random, are compared in one run, all where there are fewer."""


FRESH_SECONDS = 900
"""So long a plan that found nothing to do is taken for the present state of both sides."""


async def verify_transfer(request: TransferRequest) -> VerificationRecord:
    """Compare source and target afresh, object by object, and write the result as evidence.

    Needs nothing from the mover: listings and checksums come from the stores themselves (from
    the plan's listings where it found just now that there is nothing to do), and
    where they cannot decide, the bytes are read. Changes nothing on either side. Each call
    adds a numbered record. Differences do not raise: they make ``passed`` false.
    """
    async with evidence_of(request) as evidence, open_both(request) as (source, target):
        with tempfile.TemporaryDirectory(prefix="heavylift-verify-") as folder:
            return await _Verification(request, evidence, source, target, Path(folder)).run()


@dataclass
class _Verification:
    request: TransferRequest
    evidence: EvidenceStore
    source: ObjectStore
    target: ObjectStore
    work: Path
    state: dict[str, Any] | None = None
    listed_at: datetime = field(default_factory=utc_now)

    @property
    def slice(self) -> Slice | None:
        """The slice of the key space that this verification looks at deeply."""
        return next_slice(self.state, self.request.options.rolling)

    async def run(self) -> VerificationRecord:
        began = time.monotonic()
        options = self.request.options
        selected = selector(options.include, options.exclude)
        plan = await self._plan()
        listings = await self._planned_listings(plan) or await list_both(
            self.request, self.source, self.target, selected, self.work
        )
        difference = Difference(self.work, options.limits.memory_budget)
        try:
            planned_from = plan.planned_from if plan else None
            difference.compare(listings[0], listings[1], options.filters, planned_from)
            verdicts = Verdicts(difference)
            await self._take_plan(plan, verdicts)
            run, dataset = self.request.run, self.request.dataset
            verdicts.take_earlier(await fetch_known(self.evidence, run.migration, dataset, self.work))
            self.state = await StateLog(self.evidence, run.migration, dataset).latest()
            verdicts.judge_listings()
            checked = await self._judge_content(verdicts)
            attributes = await self._judge_attributes(verdicts)
            verdicts.close()
            found = without(listings[0].total, difference.tally("filtered"))
            return await self._store(found, listings[1].total, verdicts, checked, attributes, began)
        finally:
            difference.close()

    async def _plan(self) -> PlanRecord | None:
        path = plan_path(self.request.run, self.request.dataset)
        if not await self.evidence.exists(path):
            return None
        return await self.evidence.read_record(path, PlanRecord)

    async def _planned_listings(self, plan: PlanRecord | None) -> list[Listing] | None:
        """Return the plan's own listings where it found nothing to do, and just now.

        Nothing was written since, so that to list both sides again would only tell what changed
        meanwhile, which is the next run's business. Whoever verifies a run again wants it afresh.
        """
        if plan is None or plan.source_rows is None or plan.target_rows is None:
            return None
        run, dataset = self.request.run, self.request.dataset
        again = await latest_number(self.evidence, lambda n: verification_path(run, dataset, n))
        if again or (utc_now() - plan.created_at).total_seconds() > FRESH_SECONDS:
            return None
        self.listed_at = plan.planned_from or plan.created_at
        listings = []
        for name, ref in (("source", plan.source_rows), ("target", plan.target_rows)):
            await self.evidence.fetch(ref.path, self.work / f"{name}.parquet")
            listings.append(read_listing(self.work / f"{name}.parquet"))
        return listings

    async def _take_plan(self, plan: PlanRecord | None, verdicts: Verdicts) -> None:
        if plan is None:
            return
        local: list[Path | None] = []
        for name, ref in (("planned", plan.source_rows), ("refused", plan.refused_rows)):
            local.append(self.work / f"{name}.parquet" if ref else None)
            if ref and local[-1]:
                await self.evidence.fetch(ref.path, local[-1])
        verdicts.take_plan(*local)

    async def _judge_content(self, verdicts: Verdicts) -> tuple[int, int] | None:
        """Compare contents; return ``(checked, of how many)`` where only a sample was compared."""
        verify = self.request.options.verify
        always_read = verify.method is VerifyMethod.READ_BACK
        actions = ["compare", "unchanged"] if always_read or verify.mode is VerifyMode.SAMPLE else ["compare"]
        if len(actions) == 1:
            verdicts.accept_listed_equality()
        trusting = self.request.options.rolling is not None and verify.mode is VerifyMode.FULL
        if trusting:
            verdicts.trust_earlier(self.slice, *actions)
        rows = verdicts.undecided(*actions)
        recorded = verdicts.recorded(*actions)
        total = len(rows)
        sample = verify.sample if verify.mode is VerifyMode.SAMPLE else None
        if sample:
            rows = draw(rows, sample)

        async def judge(row: tuple[str, str, str, int]) -> None:
            rel = row[0]
            sides = (self.source, self._source_key(rel), self.target, self._target_key(rel))
            deep = await look(*sides, recorded.get(rel), always_read=always_read, trusting=trusting)
            verdict = deep.verdict
            if deep.damaged:
                verdicts.damaged(rel)
            if verdict.equal:
                verdicts.equal(rel, verdict.method, verdict.crc32c)
            else:
                verdicts.unequal(rel, verdict.kind, verdict.source, verdict.target)

        await for_each(rows, judge, self.request.options.limits.max_concurrency)
        return (len(rows), total) if sample else None

    async def _judge_attributes(self, verdicts: Verdicts) -> tuple[int, int]:
        """Compare attributes of what this run moved; return how many were compared, of how many."""
        moved = await self._moved_rels()
        drawn = sorted(moved, key=lambda rel: hashlib.sha256(rel.encode()).digest())[:MOST_ATTRIBUTES]
        keep = self.request.options.metadata
        tags = self.source.traits.keeps_tags

        async def judge(rel: str) -> None:
            try:
                one = await self._attributes(self.source, self._source_key(rel))
                other = await self._attributes(self.target, self._target_key(rel))
            except (NotFoundError, PreconditionError):
                return  # The content verdict tells what is missing; it needs no second one.
            for text in attribute_differences(one, other, keep, tags=tags):
                verdicts.unequal(rel, "attributes", text, "")

        await for_each(drawn, judge, self.request.options.limits.max_concurrency)
        return len(drawn), len(moved)

    async def _attributes(self, store: ObjectStore, key: str) -> ObjectAttributes:
        head = await store.head(key)
        if not self.request.options.metadata.tags or head.tag_count == 0:
            return head.attributes
        return replace(head.attributes, tags=await store.tags(key))

    async def _moved_rels(self) -> list[str]:
        found: list[str] = []
        path = self.work / "manifest.parquet"
        for name in await self.evidence.names(shards_folder(self.request.run, self.request.dataset)):
            if name.endswith(".parquet"):
                await self.evidence.fetch(name, path)
                found += read_moved_rels(path)
        return found

    def _source_key(self, rel: str) -> str:
        return self.request.source.location.prefix + rel

    def _target_key(self, rel: str) -> str:
        return self.request.target.location.prefix + rel

    async def _store(
        self,
        source: Tally,
        target: Tally,
        verdicts: Verdicts,
        checked: tuple[int, int] | None,
        attributes: tuple[int, int],
        began: float,
    ) -> VerificationRecord:
        run, dataset = self.request.run, self.request.dataset
        number = await latest_number(self.evidence, lambda n: verification_path(run, dataset, n)) + 1
        objects, size_bytes = verdicts.proved_tally()
        found = describe_state(self.request, verdicts, self.work)
        tree = await keep_tree(self.request, self.evidence, number, found)
        failing = [verdicts.count(kind) for kind in ("missing", "different", "unverifiable", "attributes")]
        record = VerificationRecord(
            run=run,
            dataset=dataset,
            source_url=str(self.request.source.location),
            target_url=str(self.request.target.location),
            source=source,
            target=target,
            equal=Tally(objects=objects, size_bytes=size_bytes),
            missing=failing[0],
            different=failing[1],
            unverifiable=failing[2],
            attributes_differ=failing[3],
            extra=verdicts.count("extra"),
            accepted=verdicts.count("accepted"),
            newer_on_source=verdicts.count("newer"),
            attributes_compared=attributes[0],
            methods=dict(verdicts.methods),
            differences=verdicts.worst(),
            statement=statement(
                checked, self.request.options.verify.sample, attributes, sum(failing), self._trusted(verdicts)
            ),
            root=found.root,
            tree=tree,
            rolling_slice=self.slice.index if self.slice else None,
            rolling_of=self.slice.of if self.slice else None,
            rows=await self._keep_rows(verdicts, number),
            seconds=round(time.monotonic() - began, 3),
            passed=not any(failing),
        )
        number, _ref = await write_next(self.evidence, lambda n: verification_path(run, dataset, n), record)
        await keep_state(
            self.request,
            self.evidence,
            number,
            found,
            tree,
            listed_at=self.listed_at,
            slice_=self.slice,
            before=self.state,
        )
        return record

    def _trusted(self, verdicts: Verdicts) -> str:
        count = verdicts.methods[PROVED_BEFORE]
        if not count:
            return ""
        part = self.slice
        turn = f"slice {part.index + 1} of {part.of} afresh" if part else "none of them afresh"
        return f"{count:,} of them by an earlier verification, with both versions unchanged since; {turn}"

    async def _keep_rows(self, verdicts: Verdicts, number: int) -> Any:
        path = self.work / "differences.parquet"
        if not verdicts.write(path):
            return None
        run, dataset = self.request.run, self.request.dataset
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        name = verification_path(run, dataset, number).removesuffix(".json") + f"-{digest}.parquet"
        return await self.evidence.write_file(name, path, PARQUET)


def draw(rows: list[tuple[str, str, str, int]], sample: Sample) -> list[tuple[str, str, str, int]]:
    """Return the sample of ``rows``: the same for the same seed, whatever else is in the listing."""

    def rank(row: tuple[str, str, str, int]) -> bytes:
        return hashlib.sha256(f"{sample.seed}:{row[0]}".encode()).digest()

    return sorted(rows, key=rank)[: sample.objects]


def statement(
    checked: tuple[int, int] | None,
    sample: Sample | None,
    attributes: tuple[int, int],
    failed: int,
    trusted: str = "",
) -> str:
    """Return in words what a verification has proved.

    :param trusted: what rests on an earlier verification, in words; empty where nothing does.

    With no wrong object in a random sample of n, the share of wrong objects is below
    ``1 - (1 - confidence)^(1/n)`` with that confidence (the exact binomial bound).
    """
    if failed:
        return "the two sides are not equal"
    content = _content_statement(checked, sample) + (f", {trusted}" if trusted else "")
    if not attributes[1]:
        return content
    return f"{content}; attributes of {attributes[0]} of {attributes[1]} moved objects were compared"


def _content_statement(checked: tuple[int, int] | None, sample: Sample | None) -> str:
    if checked is None or sample is None:
        return "every object was compared"
    count, total = checked
    if count >= total:
        return f"every object was compared ({total})"
    bound = 1 - (1 - sample.confidence) ** (1 / count) if count else 1.0
    return (
        f"existence and size of all objects were compared, content of {count} of {total} drawn at random"
        f" (seed {sample.seed}): fewer than {bound:.3%} differ, with {sample.confidence:.0%} confidence"
    )
