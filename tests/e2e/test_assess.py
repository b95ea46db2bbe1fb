"""The phase assess in a real scheduler, against an account on moto: planned, approved, told."""

from __future__ import annotations

from pathlib import Path

import pytest

from heavylift.spec import Phase
from sandbox.examples import account
from tests.e2e.journey import Journey

GATE = "gate_plan-approved"


@pytest.mark.long
def test_an_account_is_assessed_and_a_person_approves_exactly_that_plan(journey: Journey) -> None:
    account.seed(journey.stack.env)
    run = journey.start(Phase.ASSESS)
    assert run.wait_for_question() == f"{GATE}.approve"
    # Whoever is asked can look at the report first.
    assert run.states()["build_report"] == "success"
    run.answer("Approve")
    assert run.end() == "success", run.trouble()
    found = run.results()
    assert found.passed
    assert found.assessment is not None
    record = found.assessment.record
    assert record is not None
    assert record.components >= 20
    assert (record.open_blockers, record.unknown_sizes, record.unexplained, record.open_gaps) == (0, 0, 0, 0)
    [answer] = [entry for entry in journey.trail() if entry.action == "gate.approved"]
    assert answer.details["plan_digest"] == record.plan_digest
    assert found.report is not None
    page = Path(found.report.removeprefix("file://")).read_text()
    assert record.plan_digest in page
    assert page.count('class="plot') >= 3
    assert "<script" not in page
