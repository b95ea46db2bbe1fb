"""Judges golden inputs by a suite of expectations before any model answers them.

What runs a suite belongs to another part of the library, and is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from heavylift.errors import ConflictError
from heavylift.evidence.records import ExpectationOutcome, Finding
from heavylift.models.fetching import FetchedModel
from heavylift.models.requests import ModelRequest
from heavylift.models.rules import finding
from heavylift.scoring.golden import golden_table
from heavylift.spec.expectations import Expectation

Judge = Callable[[str, Sequence[Expectation], Any], list[ExpectationOutcome]]
"""Takes a name, a suite and a table; returns what came of each expectation."""


def judge_golden(
    request: ModelRequest, golden: FetchedModel | None, judge: Judge | None
) -> tuple[ExpectationOutcome, ...]:
    """Return what came of each expectation of the golden inputs; nothing where there is no suite."""
    if not request.golden_suite or golden is None:
        return ()
    if judge is None:
        raise TypeError("a suite, and nothing that runs it")
    [file] = golden.files
    return tuple(
        judge(request.name, request.golden_suite, golden_table(golden.folder / file.path, file.path))
    )


def golden_findings(outcomes: Sequence[ExpectationOutcome]) -> Iterator[Finding]:
    """Yield the expectations that do not hold."""
    for each in outcomes:
        if not each.passed:
            arguments = ", ".join(f"{name}={value!r}" for name, value in each.kwargs.items())
            yield finding("golden-expectation", f"{each.expectation}({arguments})"[:500], each.observed)


def demand_expected(request: ModelRequest, outcomes: Sequence[ExpectationOutcome]) -> None:
    """Return where all expectations hold.

    :raises ConflictError: one does not; no model was run.
    """
    failed = list(golden_findings(outcomes))
    if not failed:
        return
    named = "; ".join(f"{each.subject}: {each.detail}" for each in failed[:3])
    raise ConflictError(
        f"running model {request.name!r} on its golden inputs",
        got=f"{len(failed)} of {len(outcomes)} expectations that do not hold ({named})",
        expected="golden inputs of which all hold",
        state="no model was run; nothing was changed",
        remedy=failed[0].remedy,
        code="7821",
    )
