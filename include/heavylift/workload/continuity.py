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
from heavylift.evidence.workload_records import TriedCase
from heavylift.spec.sections_workload import ContinuityTest
from heavylift.workload.requests import Tell, WorkloadRequest

RATE = 10.0
"""Requests a second of a drill."""
LONGEST_WAIT = 600.0
STEADY = 2.0
"""Seconds of good answers that end a drill."""


@dataclass
class Outage:
    """What clients have met.

    :param longest: seconds from the last good answer before trouble to the first one after it.
    """

    asked: int = 0
    failed: int = 0
    longest: float = 0.0
    kinds: dict[str, int] = field(default_factory=dict)
    good_at: float | None = None
    in_trouble: bool = False
    recovered_at: float | None = None

    def note(self, status: str, at: float) -> None:
        """Take one answer in; empty is good."""
        self.asked += 1
        if status:
            self.failed += 1
            self.in_trouble = True
            self.kinds[status] = self.kinds.get(status, 0) + 1
            return
        if self.in_trouble and self.good_at is not None:
            self.longest = max(self.longest, at - self.good_at)
            self.recovered_at = at
        self.good_at, self.in_trouble = at, False

    def is_over(self, now: float) -> bool:
        """Tell whether there was trouble, and everything has been answered for a while since."""
        since = self.recovered_at
        return since is not None and not self.in_trouble and now - since >= STEADY


async def watch_drill(
    request: WorkloadRequest,
    wanted: ContinuityTest,
    tell: Tell,
    *,
    begun: asyncio.Event | None = None,
    seconds: float = LONGEST_WAIT,
) -> list[TriedCase]:
    """Ask the workload as clients do, until somebody has taken the target away and it answers again.

    Somebody, or the platform's own tool, ends the target's endpoint meanwhile, and follows the runbook.

    :param begun: set once the first good answer has come.
    :param seconds: how long to wait for trouble and its end.
    """
    bodies = (await request.bodies()).bodies[:1]
    endpoint = Scoring(
        request.connections(wanted.connection),
        bodies,
        rate=RATE,
        timeout_seconds=min(5, request.section.timeout),
    )
    outage = Outage()
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            due = time.monotonic()
            outage.note((await endpoint.ask(0, due)).status, time.monotonic())
            if outage.good_at is not None and begun is not None and not begun.is_set():
                begun.set()
                tell("the workload answers: take the target's endpoint away now")
            if outage.is_over(time.monotonic()):
                break
            await asyncio.sleep(max(0.0, due + 1 / RATE - time.monotonic()))
    finally:
        await endpoint.close()
    return [_drilled(outage, wanted)]


def _drilled(outage: Outage, wanted: ContinuityTest) -> TriedCase:
    expected = f"answers again within {duration(timedelta(seconds=wanted.recovered_within))}"
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(outage.kinds.items()))
    if outage.good_at is None or not outage.failed:
        got = "no trouble was seen" if outage.good_at else f"no good answer ({kinds})"
        return TriedCase(name="loss of the target", verdict="not run", expected=expected, got=got)
    if outage.in_trouble:
        got = f"no good answer at the end; {outage.failed} of {outage.asked} requests failed ({kinds})"
        return TriedCase(name="loss of the target", verdict="failed", expected=expected, got=got)
    got = f"{outage.longest:.1f} s without a good answer; {outage.failed} of {outage.asked} failed ({kinds})"
    return TriedCase(
        name="loss of the target",
        verdict="passed" if outage.longest <= wanted.recovered_within else "failed",
        expected=expected,
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
