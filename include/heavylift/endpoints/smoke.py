"""One request whose answer is known: sent, compared, and neither kept nor shown."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from heavylift.endpoints.ports import ServingPort, WantedEndpoint
from heavylift.endpoints.requests import json_beside
from heavylift.errors import HeavyliftError
from heavylift.evidence.endpoint_records import SmokeRow
from heavylift.spec.sections_endpoints import Smoke


async def smoked(port: ServingPort, wanted: WantedEndpoint, smoke: Smoke, spec_path: str) -> SmokeRow:
    """Send the golden row and return whether the answer is the known one.

    :raises SpecError: a file beside the spec is no JSON.
    """
    body, expected = (json_beside(spec_path, name) for name in (smoke.request, smoke.expected))
    begun = time.perf_counter()
    try:
        answer = await port.ask(wanted, body)
    except HeavyliftError as error:
        return SmokeRow(endpoint=wanted.name, passed=False, reason=f"{error.got} [HL-{error.code}]")
    except ValueError:
        return SmokeRow(endpoint=wanted.name, passed=False, reason="an answer that is no JSON")
    took = round((time.perf_counter() - begun) * 1000, 3)
    where = unlike(expected, answer, smoke.tolerance)
    reason = f"another answer at {where}" if where is not None else ""
    return SmokeRow(endpoint=wanted.name, passed=not reason, milliseconds=took, reason=reason)


def unlike(expected: Any, answer: Any, tolerance: float, path: str = "$") -> str | None:
    """Return where an answer is not the expected one; None where it is. No value is in it.

    Numbers may be off by the tolerance; what an answer has beside the expected fields does not count.
    """
    if isinstance(expected, Mapping):
        if not isinstance(answer, Mapping):
            return path
        pairs = ((f"{path}.{key}", value, answer.get(key, _ABSENT)) for key, value in expected.items())
    elif isinstance(expected, list):
        if not isinstance(answer, list) or len(answer) != len(expected):
            return path
        pairs = ((f"{path}[{i}]", one, answer[i]) for i, one in enumerate(expected))
    else:
        return None if _alike(expected, answer, tolerance) else path
    return next(
        (found for where, one, other in pairs if (found := unlike(one, other, tolerance, where))), None
    )


_ABSENT = object()


def _alike(expected: Any, answer: Any, tolerance: float) -> bool:
    if isinstance(expected, bool) or isinstance(answer, bool):
        return expected is answer
    if isinstance(expected, int | float) and isinstance(answer, int | float):
        return math.isclose(expected, answer, rel_tol=tolerance, abs_tol=tolerance)
    return bool(expected == answer)
