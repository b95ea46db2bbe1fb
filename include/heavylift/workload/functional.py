"""Golden requests: the target answers as the source does, or has done."""

from __future__ import annotations

import time
from collections.abc import Sequence

from heavylift.cutover.canary.endpoint import Answered, Scoring, prediction_of, shown
from heavylift.cutover.canary.samples import Prediction, Tolerance, differ
from heavylift.errors import SpecError
from heavylift.evidence.workload_records import TriedCase
from heavylift.platforms.bodies import Bodies, fetch_bodies
from heavylift.spec.sections_workload import FunctionalTest
from heavylift.workload.requests import WorkloadRequest

_SHOWN = 20


async def run_functional(request: WorkloadRequest, wanted: FunctionalTest) -> list[TriedCase]:
    """Ask the target every golden request, and compare each answer with the source's.

    :raises SpecError: there are more or fewer answers than requests.
    """
    bodies = await request.bodies()
    expected = await _expected(request, wanted, bodies)
    answered = await _ask(request, request.section.connection, bodies)
    tolerance = Tolerance(wanted.absolute_tolerance, wanted.relative_tolerance)
    wrong = [
        _told(number, other)
        for number, (one, other) in enumerate(zip(expected, answered, strict=True), 1)
        if _differ(one, other, tolerance)
    ]
    unknown = sum(one is None for one in expected)
    case = TriedCase(
        name="golden requests",
        verdict="not run" if unknown else "passed" if len(wrong) <= wanted.max_differing else "failed",
        expected=f"at most {wanted.max_differing} of {len(bodies.bodies)} answered otherwise than the source",
        got=f"{unknown} that the source did not answer"
        if unknown
        else f"{len(wrong)} answered otherwise" + (f": {'; '.join(wrong[:_SHOWN])}" if wrong else ""),
    )
    return [case]


async def _expected(
    request: WorkloadRequest, wanted: FunctionalTest, bodies: Bodies
) -> Sequence[Prediction | None]:
    if wanted.source_connection is not None:
        found = await _ask(request, wanted.source_connection, bodies)
        return [each.prediction for each in found]
    recorded = await fetch_bodies(request.place(str(wanted.answers)))
    if len(recorded.bodies) != len(bodies.bodies):
        raise SpecError(
            f"comparing with the answers in {wanted.answers}",
            got=f"{len(recorded.bodies)} answers",
            expected=f"{len(bodies.bodies)}, one for each request",
            state="nothing was sent",
            remedy="record the answers anew, with the same requests",
            code="9336",
        )
    return [prediction_of(each) for each in recorded.bodies]


async def _ask(request: WorkloadRequest, conn_id: str, bodies: Bodies) -> list[Answered]:
    section = request.section
    path = section.path if conn_id == section.connection else ""
    endpoint = Scoring(
        request.connections(conn_id), bodies.bodies, path=path, rate=1.0, timeout_seconds=section.timeout
    )
    try:
        return [await endpoint.ask(number, time.monotonic()) for number in range(len(bodies.bodies))]
    finally:
        await endpoint.close()


def target_address(request: WorkloadRequest) -> str:
    """Return where the target's endpoint is, without credentials."""
    return shown(request.target, request.section.path)


def _differ(expected: Prediction | None, answered: Answered, tolerance: Tolerance) -> bool:
    if expected is None:
        return False
    return answered.prediction is None or differ(expected, answered.prediction, tolerance) > 0


def _told(number: int, answered: Answered) -> str:
    # Predictions may be personal data: only the number of the request is told, and what kind of failure.
    return f"request {number}" + (f" ({answered.status})" if answered.status else "")
