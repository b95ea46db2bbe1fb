"""Verifying a dataset: both sides listed afresh and every object compared, whoever moved it."""

from __future__ import annotations

import hashlib
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from heavylift.errors import HeavyliftError
from heavylift.evidence.numbered import latest_number, write_next
from heavylift.evidence.paths import plan_path, verification_path
from heavylift.evidence.records import EvidenceRef, PlanRecord, Tally, VerificationRecord, utc_now
from heavylift.evidence.state import StateLog
from heavylift.evidence.store import PARQUET, EvidenceStore
from heavylift.objects.attributes import Compared, judge_attributes, take_copied, unlike_before
from heavylift.objects.diff import Difference, without
from heavylift.objects.keeping import keep_rows
from heavylift.objects.listing import Listing, read_listing
from heavylift.objects.pool import for_each
from heavylift.objects.relisting import Relisting, relist_both
from heavylift.objects.requests import TransferRequest
from heavylift.objects.rolling import PROVED_BEFORE, Slice, look, next_slice
from heavylift.objects.sessions import evidence_of, open_both
from heavylift.objects.standing import (
    brings_attributes,
    keep_pages,
    may_stand,
    nothing_is_open,
    passes_by,
)
from heavylift.objects.standing_proof import lay_down, standing_of, verify_by
from heavylift.objects.state import fetch_known
from heavylift.objects.state_keeping import describe_state, keep_state, keep_tree
from heavylift.objects.undecided import UNVERIFIABLE, Sides, why_undecided
from heavylift.objects.verdicts import ATTRIBUTES, Verdicts
from heavylift.platforms.ports import ObjectStore
from heavylift.spec.datasets import Sample
from heavylift.spec.vocabulary import VerifyMethod, VerifyMode

MOST_BOUNDED = 10_000
"""With more wrong objects in a sample, a bound on the others takes minutes, and nobody needs it."""
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


@dataclass(frozen=True)
class Checked:
    """A sample whose content was compared: so many objects of so many, and how many did not prove equal."""

    objects: int
    of: int
    wrong: int


@dataclass
class _Verification:
    request: TransferRequest
    evidence: EvidenceStore
    source: ObjectStore
    target: ObjectStore
    work: Path
    state: dict[str, Any] | None = None
    listed_at: datetime = field(default_factory=utc_now)
    sides: tuple[Relisting, Relisting] | None = None
    kept: tuple[EvidenceRef | None, EvidenceRef | None, EvidenceRef | None] = (None, None, None)
    """The rows of source and target and their pages, where they are evidence already."""

    @property
    def slice(self) -> Slice | None:
        """The slice of the key space that this verification looks at deeply."""
        return next_slice(self.state, self.request.options.rolling)

    async def run(self) -> VerificationRecord:
        began = time.monotonic()
        options = self.request.options
        run, dataset = self.request.run, self.request.dataset
        plan = await self._plan()
        self.state = await StateLog(self.evidence, run.migration, dataset).latest()
        fresh = plan if plan and await self._is_fresh(plan) else None
        standing = fresh and standing_of(self.request, fresh, self.state)
        if fresh and standing and self.state:
            return await verify_by(
                standing, self.request, self.evidence, fresh, self.state, self.listed_at, began
            )
        listings = await self._listings(fresh)
        difference = Difference(self.work, options.limits.memory_budget)
        try:
            planned_from = plan.planned_from if plan else None
            difference.compare(listings[0], listings[1], options.filters, planned_from)
            verdicts = Verdicts(difference)
            await self._take_plan(plan, verdicts)
            verdicts.take_earlier(await fetch_known(self.evidence, run.migration, dataset, self.work))
            verdicts.judge_listings()
            checked = await self._judge_content(verdicts)
            lost = await take_copied(self.request, self.evidence, self.work, verdicts)
            unlike = await unlike_before(self.state, self.evidence, self.work)
            attributes = await judge_attributes(
                self.request, self.source, self.target, verdicts, lost, unlike
            )
            verdicts.close()
            found = without(listings[0].total, difference.tally("filtered"))
            record = self._record(found, listings[1].total, verdicts, checked, attributes)
            return await self._store(record, found, listings, difference, verdicts, began)
        finally:
            difference.close()

    async def _plan(self) -> PlanRecord | None:
        path = plan_path(self.request.run, self.request.dataset)
        if not await self.evidence.exists(path):
            return None
        return await self.evidence.read_record(path, PlanRecord)

    async def _is_fresh(self, plan: PlanRecord) -> bool:
        """Tell whether a plan found nothing to do, and just now; ``listed_at`` is then its moment.

        Nothing was written since, so that to list both sides again would only tell what changed
        meanwhile, which is the next run's business. Whoever verifies a run again wants it afresh.
        """
        if plan.source_rows is None or plan.target_rows is None:
            return False
        run, dataset = self.request.run, self.request.dataset
        again = await latest_number(self.evidence, lambda n: verification_path(run, dataset, n))
        if again or (utc_now() - plan.created_at).total_seconds() > FRESH_SECONDS:
            return False
        self.listed_at = plan.planned_from or plan.created_at
        return True

    async def _listings(self, plan: PlanRecord | None) -> tuple[Listing, Listing]:
        """Return the listings of a plan that is fresh, or list both sides."""
        if plan is None:
            self.sides = await relist_both(self.request, self.source, self.target, self.work)
            return await self.sides[0].listing(self.evidence), await self.sides[1].listing(self.evidence)
        self.kept = plan.source_rows, plan.target_rows, plan.pages
        listings = []
        for name, ref in (("source", plan.source_rows), ("target", plan.target_rows)):
            if ref is not None:
                await self.evidence.fetch(ref.path, self.work / f"{name}.parquet")
            listings.append(read_listing(self.work / f"{name}.parquet"))
        return listings[0], listings[1]

    async def _take_plan(self, plan: PlanRecord | None, verdicts: Verdicts) -> None:
        if plan is None:
            return
        local: list[Path | None] = []
        for name, ref in (("planned", plan.source_rows), ("refused", plan.refused_rows)):
            local.append(self.work / f"{name}.parquet" if ref else None)
            if ref and local[-1]:
                await self.evidence.fetch(ref.path, local[-1])
        verdicts.take_plan(*local)

    async def _judge_content(self, verdicts: Verdicts) -> Checked | None:
        """Compare contents; return what a sample has shown, where only one was compared."""
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

        answering = Sides(self.source, self.target)
        wrong = 0

        async def judge(row: tuple[str, str, str, int]) -> None:
            nonlocal wrong
            rel = row[0]
            sides = (self.source, self._source_key(rel), self.target, self._target_key(rel))
            try:
                deep = await look(*sides, recorded.get(rel), always_read=always_read, trusting=trusting)
            except HeavyliftError as error:
                why = await why_undecided(error, answering)
                verdicts.unequal(rel, UNVERIFIABLE, why, "")
                wrong += 1
                return
            verdict = deep.verdict
            if deep.damaged:
                verdicts.damaged(rel)
            if verdict.equal:
                verdicts.equal(rel, verdict.method, verdict.crc32c)
            else:
                verdicts.unequal(rel, verdict.kind, verdict.source, verdict.target)
                wrong += 1

        await for_each(rows, judge, self.request.options.limits.max_concurrency)
        return Checked(len(rows), total, wrong) if sample else None

    def _source_key(self, rel: str) -> str:
        return self.request.source.location.prefix + rel

    def _target_key(self, rel: str) -> str:
        return self.request.target.location.prefix + rel

    def _record(
        self,
        source: Tally,
        target: Tally,
        verdicts: Verdicts,
        checked: Checked | None,
        attributes: Compared,
    ) -> VerificationRecord:
        """Return what was found, without what is kept beside it."""
        objects, size_bytes = verdicts.proved_tally()
        failing = [verdicts.count(kind) for kind in ("missing", "different", UNVERIFIABLE, ATTRIBUTES)]
        return VerificationRecord(
            run=self.request.run,
            dataset=self.request.dataset,
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
            attributes_compared=attributes.objects,
            methods=dict(verdicts.methods),
            differences=verdicts.worst(),
            statement=statement(
                checked, self.request.options.verify.sample, attributes, sum(failing), self._trusted(verdicts)
            )
            + self._rewritten(verdicts),
            rolling_slice=self.slice.index if self.slice else None,
            rolling_of=self.slice.of if self.slice else None,
            passed=not any(failing),
        )

    async def _store(
        self,
        record: VerificationRecord,
        found: Tally,
        listings: tuple[Listing, Listing],
        difference: Difference,
        verdicts: Verdicts,
        began: float,
    ) -> VerificationRecord:
        run, dataset = self.request.run, self.request.dataset
        number = await latest_number(self.evidence, lambda n: verification_path(run, dataset, n)) + 1
        state = describe_state(self.request, verdicts, self.work)
        tree = await keep_tree(self.request, self.evidence, number, state)
        pages = await self._keep_listings(record, found, verdicts)
        record = record.model_copy(
            update={
                "root": state.root,
                "tree": tree,
                "rows": await self._keep_rows(verdicts, number),
                "source_rows": self.kept[0] if pages else None,
                "target_rows": self.kept[1] if pages else None,
                "seconds": round(time.monotonic() - began, 3),
            }
        )
        number, ref = await write_next(self.evidence, lambda n: verification_path(run, dataset, n), record)
        standing = lay_down(self.request, difference, listings, ref, pages, found) if pages else None
        await keep_state(
            self.request,
            self.evidence,
            number,
            state,
            tree,
            listed_at=self.listed_at,
            slice_=self.slice,
            before=self.state,
            standing=standing,
            unlike=record.rows if record.attributes_differ else None,
        )
        return record

    async def _keep_listings(
        self, record: VerificationRecord, found: Tally, verdicts: Verdicts
    ) -> EvidenceRef | None:
        """Keep both listings where the proof may stand for as long as they stay the same."""
        stands = may_stand(self.request) and nothing_is_open(self.request, record, found)
        if not stands or passes_by(self.source):
            return None
        if brings_attributes(self.request) and verdicts.rewritten():
            return None  # The next plan has attributes to compare, although it may list the same pages.
        if self.sides is not None:
            one, other = [
                await keep_rows(self.request, self.evidence, self.work / f"{name}.parquet")
                for name in ("source", "target")
            ]
            self.kept = one, other, await keep_pages(self.request, self.evidence, self.sides, (one, other))
        return self.kept[2]

    def _trusted(self, verdicts: Verdicts) -> str:
        count = verdicts.methods[PROVED_BEFORE]
        if not count:
            return ""
        part = self.slice
        turn = f"slice {part.index + 1} of {part.of} afresh" if part else "none of them afresh"
        return f"{count:,} of them by an earlier verification, with both versions unchanged since; {turn}"

    def _rewritten(self, verdicts: Verdicts) -> str:
        count = verdicts.rewritten() if brings_attributes(self.request) else 0
        return f"; {count:,} written again on the source since, whose attributes come next" if count else ""

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
    checked: Checked | None,
    sample: Sample | None,
    attributes: Compared,
    failed: int,
    trusted: str = "",
) -> str:
    """Return in words what a verification has proved.

    :param trusted: what rests on an earlier verification, in words; empty where nothing does.

    With no wrong object in a random sample of n, the share of wrong objects is below
    ``1 - (1 - confidence)^(1/n)`` with that confidence (the exact binomial bound); with some it is below the
    one-sided bound of Clopper and Pearson.
    """
    if failed:
        return "the two sides are not equal" + _wrong_sample(checked, sample)
    return _content_statement(checked, sample) + (f", {trusted}" if trusted else "") + attributes.told


def _content_statement(checked: Checked | None, sample: Sample | None) -> str:
    if checked is None or sample is None:
        return "every object was compared"
    if checked.objects >= checked.of:
        return f"every object was compared ({checked.of})"
    bound = 1 - (1 - sample.confidence) ** (1 / checked.objects) if checked.objects else 1.0
    return (
        f"existence and size of all objects were compared, content of {_drawn(checked, sample)}:"
        f" fewer than {bound:.3%} differ, with {sample.confidence:.0%} confidence"
    )


def _wrong_sample(checked: Checked | None, sample: Sample | None) -> str:
    """Return what a sample says of the objects whose content nobody has looked at."""
    if checked is None or sample is None or checked.objects >= checked.of:
        return ""
    from heavylift.scoring.statistics import mismatch_bound

    told = f"; content of {_drawn(checked, sample)} was compared, and {checked.wrong} did not prove equal"
    if checked.wrong > MOST_BOUNDED:
        return told
    bound = mismatch_bound(checked.wrong, checked.objects, sample.confidence)
    return f"{told}: of all it is fewer than {bound:.3%}, with {sample.confidence:.0%} confidence"


def _drawn(checked: Checked, sample: Sample) -> str:
    return f"{checked.objects} of {checked.of} drawn at random (seed {sample.seed})"
