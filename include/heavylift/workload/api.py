"""What operators and commands call to test the moved workload."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from heavylift.errors import SpecError
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.numbered import write_next
from heavylift.evidence.workload_records import (
    KINDS,
    TriedCase,
    WorkloadKind,
    WorkloadTestRecord,
    workload_path,
)
from heavylift.spec.model import MigrationSpec
from heavylift.workload.continuity import LONGEST_WAIT, watch_drill, ways_back
from heavylift.workload.functional import run_functional, target_address
from heavylift.workload.performance import run_performance
from heavylift.workload.requests import Tell, WorkloadRequest, silent
from heavylift.workload.security import run_security


def kinds_of(spec: MigrationSpec) -> tuple[WorkloadKind, ...]:
    """Return which kinds of tests a spec wants."""
    section = spec.workload_tests
    return tuple(kind for kind in KINDS if section is not None and getattr(section, kind))


async def try_workload(
    request: WorkloadRequest, kind: WorkloadKind, tell: Tell = silent
) -> tuple[WorkloadTestRecord, EvidenceRef]:
    """Run the tests of one kind, keep the record and note it; a test that fails raises nothing.

    They read and send requests, and change nothing. Each call tests anew.

    :raises SpecError: the spec wants no test of this kind.
    """
    began = time.monotonic()
    section = request.section
    evidence: tuple[EvidenceRef, ...] = ()
    if kind == "functional" and section.functional is not None:
        cases = await run_functional(request, section.functional)
    elif kind == "performance" and section.performance is not None:
        cases, evidence = await run_performance(request, section.performance, tell)
    elif kind == "security" and section.security:
        cases = await run_security(request)
    elif kind == "continuity" and section.continuity is not None:
        cases, evidence = await ways_back(request, section.continuity)
    else:
        raise _not_wanted(request, kind)
    return await _keep(request, kind, cases, evidence, time.monotonic() - began)


async def drill(
    request: WorkloadRequest,
    tell: Tell = silent,
    *,
    begun: asyncio.Event | None = None,
    seconds: float = LONGEST_WAIT,
) -> tuple[WorkloadTestRecord, EvidenceRef]:
    """Watch the loss of the target from where clients are, and keep the record with that of the ways back.

    It sends requests and changes nothing: somebody else takes the target away, and brings traffic back.

    :raises SpecError: the spec wants no test of continuity.
    """
    wanted = request.section.continuity
    if wanted is None:
        raise _not_wanted(request, "continuity")
    began = time.monotonic()
    begun = begun or asyncio.Event()
    cases = await watch_drill(request, wanted, tell, begun=begun, seconds=seconds)
    more, evidence = await ways_back(request, wanted)
    return await _keep(request, "continuity", [*cases, *more], evidence, time.monotonic() - began)


async def _keep(
    request: WorkloadRequest,
    kind: WorkloadKind,
    cases: Sequence[TriedCase],
    evidence: tuple[EvidenceRef, ...],
    seconds: float,
) -> tuple[WorkloadTestRecord, EvidenceRef]:
    passed = sum(each.verdict == "passed" for each in cases)
    record = WorkloadTestRecord(
        run=request.run,
        kind=kind,
        address=target_address(request),
        cases=tuple(cases),
        statement=f"{passed} of {len(cases)} passed",
        evidence=evidence,
        seconds=round(seconds, 3),
    )
    migration = request.spec.migration
    _number, ref = await write_next(
        request.store, lambda number: workload_path(migration, kind, number), record
    )
    await AuditTrail(request.store, migration).append(
        Act(
            actor=request.actor,
            action="workload.tested",
            phase=request.run.phase,
            run=request.run.run,
            subject=kind,
            evidence=(ref, *evidence),
            details={"verdict": record.verdict, "passed": passed, "cases": len(cases)},
        )
    )
    return record, ref


def _not_wanted(request: WorkloadRequest, kind: WorkloadKind) -> SpecError:
    return SpecError(
        f"testing the workload of {request.spec.migration}: {kind}",
        got="a section workload_tests without it",
        expected=f"{' or '.join(kinds_of(request.spec)) or 'a kind of test'}",
        state="nothing was sent",
        remedy=f"add {kind} to the section, see docs/reference/workload-tests.md",
        code="9337",
    )
