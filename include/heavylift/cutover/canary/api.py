"""Analyses one step of a canary, or the shadow, and keeps the verdict as evidence."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict

from heavylift.cutover.canary.analysis import SequentialAnalysis, Watched
from heavylift.cutover.canary.business import BusinessReader
from heavylift.cutover.canary.endpoint import Scoring, scoring_address, shown
from heavylift.cutover.canary.ports import LiveFigures
from heavylift.cutover.canary.probing import Pace, Prober
from heavylift.cutover.canary.progress import Progress
from heavylift.cutover.canary.requests import CanaryRequest, Probes
from heavylift.cutover.canary.watching import Sources, Watch
from heavylift.errors import SpecError
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.canary_records import CanaryRecord, canary_path
from heavylift.evidence.canonical import canonical_json
from heavylift.evidence.numbered import latest_number, write_next
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.platforms.bodies import Bodies, fetch_bodies

Tell = Callable[[str], None]


async def analyse(
    request: CanaryRequest, tell: Tell = lambda _: None, *, live: LiveFigures | None = None
) -> tuple[CanaryRecord, EvidenceRef]:
    """Judge the target against the source until there is a verdict or the time is over; write the record.

    Sends requests to both scoring endpoints, reads counters and queries; changes neither side. A step that
    has been promoted or aborted in this run is not judged again: its record is returned. One that was cut
    off goes on with the evidence it had, in the time it had left. One that ended with hold goes on for as
    long again, with that evidence: what looked often must not look anew.

    :param live: counters of the live traffic; None: only paired requests are judged.
    :raises SpecError: there is nothing to judge by, or the requests can't be used.
    :raises CredentialError: an endpoint refuses the connection's credentials.
    :raises ConnectionConfigError: a connection leads to no HTTP server.
    """
    watched = Watched(request.probes is not None, live is not None, request.business is not None)
    bodies = await _bodies(request, watched)
    settings = settings_digest(request, watched, bodies)
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        known = await latest_number(store, lambda n: canary_path(request.run, request.step, n))
        if known:
            record, ref = await _record_at(store, canary_path(request.run, request.step, known))
            if record.verdict != "hold":
                tell(f"step {request.step}: {record.verdict}, as was decided at {record.decided_at:%H:%M:%S}")
                return record, ref
        analysis = SequentialAnalysis(request.limits, watched)
        progress = await Progress.opened(store, request, analysis, settings, attempt=known + 1, tell=tell)
        await _watch(request, analysis, progress, live, bodies)
        record = progress.record(bodies.sha256 if bodies else "")
        _, ref = await write_next(
            store, lambda n: canary_path(request.run, request.step, n), record, known=known
        )
    tell(f"step {request.step}: {record.verdict}: {'; '.join(record.reasons)}")
    return record, ref


async def prepare(request: CanaryRequest, *, live: bool = False) -> dict[str, object]:
    """Check all that an analysis needs, ask nobody, and return what would be asked.

    :raises SpecError: there is nothing to judge by, or the requests can't be used.
    :raises ConnectionConfigError: a connection leads to no HTTP server.
    """
    probes = request.probes
    bodies = await _bodies(request, Watched(probes is not None, live, request.business is not None))
    return {
        "step": request.step,
        "addresses": [shown(each, probes.path) for each in (probes.source, probes.target)] if probes else [],
        "requests": round(probes.rate * request.seconds) if probes else 0,
        "bodies": len(bodies.bodies) if bodies else 0,
        "seconds": request.seconds,
        "limits": asdict(request.limits),
    }


async def _bodies(request: CanaryRequest, watched: Watched) -> Bodies | None:
    if not (watched.pairs or watched.live):
        raise SpecError(
            f"analysing step {request.step}",
            got="neither requests to ask both sides nor counters of live traffic",
            expected="at least one of them",
            state="nothing was asked and nothing was changed",
            remedy="set requests, source_connection and target_connection below cutover.analysis",
            code="8766",
        )
    if request.probes is None:
        return None
    for connection in (request.probes.source, request.probes.target):
        scoring_address(connection, request.probes.path)
    return await fetch_bodies(request.probes.requests)


async def _record_at(store: EvidenceStore, path: str) -> tuple[CanaryRecord, EvidenceRef]:
    return await store.read_record(path, CanaryRecord), await store.ref_of(path)


def settings_digest(request: CanaryRequest, watched: Watched, bodies: Bodies | None) -> str:
    """Return the digest of all that evidence must have in common to be added up; of no secret."""
    probes = request.probes
    document = {
        "limits": asdict(request.limits),
        "watched": asdict(watched),
        "requests": bodies.sha256 if bodies else "",
        "sides": [shown(each, probes.path) for each in (probes.source, probes.target)] if probes else [],
        "business": request.business.metric.model_dump(mode="json") if request.business else None,
    }
    return hashlib.sha256(canonical_json(document)).hexdigest()


async def _watch(
    request: CanaryRequest,
    analysis: SequentialAnalysis,
    progress: Progress,
    live: LiveFigures | None,
    bodies: Bodies | None,
) -> None:
    async with AsyncExitStack() as stack:
        sources = Sources(live=live)
        if request.probes is not None and bodies is not None:
            sources.prober = await _prober(request, request.probes, bodies, progress, stack)
        if request.business is not None:
            sources.business = BusinessReader(request.business.connection, request.business.metric)
            sources.business_every = request.business.every or float(request.business.metric.every)
            stack.push_async_callback(sources.business.close)
        watch = Watch(analysis, sources, progress.tally, request, progress.look)
        progress.begin = time.monotonic()
        await watch.run(progress.left)


async def _prober(
    request: CanaryRequest, probes: Probes, bodies: Bodies, progress: Progress, stack: AsyncExitStack
) -> Prober:
    sides = []
    for connection in (probes.source, probes.target):
        scoring = Scoring(
            connection,
            bodies.bodies,
            path=probes.path,
            rate=probes.rate,
            timeout_seconds=probes.timeout_seconds,
        )
        stack.push_async_callback(scoring.close)
        sides.append(scoring)
    await asyncio.gather(*(each.check_credentials() for each in sides))
    pace = Pace(
        rate=probes.rate,
        seconds=progress.left,
        block_seconds=request.limits.block_seconds,
        bodies=len(bodies.bodies),
        # Another order after each restart: the first requests must not come again and again.
        seed=probes.seed + progress.resumed,
    )
    return Prober(sides[0], sides[1], pace)
