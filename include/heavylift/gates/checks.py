"""The checks of a gate by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from heavylift.evidence.records import CheckOutcome
from heavylift.evidence.run_evidence import DatasetEvidence
from heavylift.gates.object_checks import checksums_equal, counts_equal, no_findings
from heavylift.gates.table_checks import expectations_pass, profiles_equal
from heavylift.gates.verdict import Verdict
from heavylift.spec.vocabulary import Check

JUDGES: Mapping[Check, Callable[[DatasetEvidence], Verdict]] = {
    Check.COUNTS_EQUAL: counts_equal,
    Check.CHECKSUMS_EQUAL: checksums_equal,
    Check.NO_FINDINGS: no_findings,
    Check.EXPECTATIONS_PASS: expectations_pass,
    Check.PROFILES_EQUAL: profiles_equal,
}
"""Check → how it is judged."""


def judge(check: Check, evidence: DatasetEvidence) -> CheckOutcome:
    """Return the outcome of ``check`` on one dataset's evidence.

    It never passes on missing evidence.
    """
    return JUDGES[check](evidence).outcome(check.value, evidence.dataset)
