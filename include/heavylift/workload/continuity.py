"""Losing the target: a drill that is watched from where clients are, and the records of ways back."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta

from heavylift.cutover.canary.endpoint import Scoring
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.records import utc_now
from heavylift.evidence.switch_evidence import latest_rehearsal, latest_switch
from heavylift.evidence.wording import duration
from heavylift.evidence.workload_records import CaseVerdict, TriedCase
from heavylift.spec.sections_workload import ContinuityTest
from heavylift.workload.requests import Tell, WorkloadRequest

RATE = 10.0
"""Requests a second of a drill."""
LONGEST_WAIT = 600.0
STEADY = 2.0
"""Seconds of good answers that end a drill."""


@dataclass
class Outage:
    """What clients have met, and when the target's own endpoint was seen to be gone.

    :param longest: seconds from the last good answer before trouble to the first one after it; 0 where there
        was no trouble.
    :param lost_at: when the target's own endpoint first gave no good answer, after it had.
    """

    asked: int = 0
    failed: int = 0
    longest: float = 0.0
    kinds: dict[str, int] = field(default_factory=dict)
    good_at: float | None = None
    in_trouble: bool = False
    steady_since: float | None = None
    target_was_good: bool = False
    lost_at: float | None = None

    @property
    def ready(self) -> bool:
        """Whether clients and the target itself have answered, so that a loss can begin."""
        return self.good_at is not None and self.target_was_good

    def note(self, status: str, at: float) -> None:
        """Take one answer to clients in; empty is good."""
        self.asked += 1
        if status:
            self.failed += 1
            self.in_trouble = True
            self.steady_since = None
            self.kinds[status] = self.kinds.get(status, 0) + 1
            return
        if self.in_trouble and self.good_at is not None:
            self.longest = max(self.longest, at - self.good_at)
        if self.steady_since is None:
            self.steady_since = at
        self.good_at, self.in_trouble = at, False

    def note_target(self, status: str, at: float) -> None:
        """Take one answer of the target's own endpoint in."""
        if not status:
            self.target_was_good = True
        elif self.target_was_good and self.lost_at is None:
            self.lost_at = at

    def is_over(self, now: float) -> bool:
        """Tell whether the target was lost, and clients have had good answers for a while since."""
        if self.lost_at is None or self.steady_since is None:
            return False
        return now - max(self.lost_at, self.steady_since) >= STEADY


async def watch_drill(
    request: WorkloadRequest,
    wanted: ContinuityTest,
    tell: Tell,
    *,
    begun: asyncio.Event,
    seconds: float = LONGEST_WAIT,
) -> list[TriedCase]:
    """Ask the workload as clients do, until the target has been taken away and clients are served again.

    Somebody, or the platform's own tool, ends the target's endpoint meanwhile, and follows the runbook.

    :param begun: set once clients and the target's own endpoint have answered.
    :param seconds: how long to wait for the loss and the recovery.
    """
    bodies = (await request.bodies()).bodies[:1]
    patience = float(min(5, request.section.timeout))
    clients = Scoring(request.connections(wanted.connection), bodies, rate=RATE, timeout_seconds=patience)
    target = Scoring(request.target, bodies, path=request.section.path, rate=RATE, timeout_seconds=patience)
    outage = Outage()
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until and not outage.is_over(time.monotonic()):
            due = time.monotonic()
            answer, own = await asyncio.gather(clients.ask(0, due), target.ask(0, due))
            outage.note(answer.status, time.monotonic())
            outage.note_target(own.status, time.monotonic())
            if outage.ready and not begun.is_set():
                begun.set()
                tell("the workload answers: take the target's endpoint away now")
            await asyncio.sleep(max(0.0, due + 1 / RATE - time.monotonic()))
    finally:
        await clients.close()
        await target.close()
    return [_drilled(outage, wanted)]


def _drilled(outage: Outage, wanted: ContinuityTest) -> TriedCase:
    limit = duration(timedelta(seconds=wanted.recovered_within))
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(outage.kinds.items()))
    told = f"{outage.failed} of {outage.asked} requests failed" + (f" ({kinds})" if kinds else "")
    verdict: CaseVerdict = "not run"
    if outage.lost_at is None:
        got = "the target's endpoint was not seen to be lost" if outage.ready else f"no good answer; {told}"
    elif outage.in_trouble:
        verdict, got = "failed", f"no good answer at the end; {told}"
    else:
        verdict = "passed" if outage.longest <= wanted.recovered_within else "failed"
        got = f"{outage.longest:.1f} s without a good answer; {told}"
    return TriedCase(
        name="loss of the target",
        verdict=verdict,
        expected=f"clients are served again within {limit} of the target's loss",
        got=got,
        seconds=round(outage.longest, 3),
    )


async def ways_back(
    request: WorkloadRequest, wanted: ContinuityTest
) -> tuple[list[TriedCase], tuple[EvidenceRef, ...]]:
    """Tell of the last rehearsal and the last rollback, as their records do."""
    migration = request.spec.migration
    rehearsal = await latest_rehearsal(request.store, migration)
    switch = await latest_switch(request.store, migration)
    expected = f"a rehearsal or a rollback that passed, no older than {wanted.drilled_within / 86_400:g} days"
    found = []
    if rehearsal is not None:
        found.append((rehearsal.record.rehearsed_at, rehearsal.record.passed, "rehearsal", rehearsal.ref))
    if switch is not None and switch.record.goal == "source":
        done = switch.record.outcome in ("switched", "already")
        found.append((switch.record.ended_at, done, "rollback", switch.ref))
    if not found:
        return [TriedCase(name="way back", verdict="not run", expected=expected, got="neither was made")], ()
    when, passed, what, ref = max(found, key=lambda each: each[0])
    age = utc_now() - when
    good = passed and age <= timedelta(seconds=wanted.drilled_within)
    got = f"a {what} {duration(age)} ago that {'passed' if passed else 'did not pass'}"
    return [TriedCase(name="way back", verdict="passed" if good else "failed", expected=expected, got=got)], (
        ref,
    )
