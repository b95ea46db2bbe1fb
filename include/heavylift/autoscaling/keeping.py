"""Keeps comparisons of autoscaling in the evidence store."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from heavylift.autoscaling.compare import Comparison, Tolerance
from heavylift.autoscaling.simulate import Run, World
from heavylift.errors import IncompleteError
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import RunKey
from heavylift.evidence.scaling_records import (
    SCALING_FOLDER,
    ScalingAdvice,
    ScalingLoss,
    ScalingRecord,
    ScalingRun,
    scaling_path,
)

if TYPE_CHECKING:
    from heavylift.autoscaling.translate import Translation
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.store import EvidenceStore

_SHELL = RunKey(migration="shell", phase="provision", run="shell")


def record_of(
    made: Translation,
    found: Comparison,
    load: Sequence[float],
    world: World,
    tolerance: Tolerance,
    run: RunKey = _SHELL,
) -> ScalingRecord:
    """Return what is told of a comparison."""
    advice = found.advice
    text = json.dumps([round(each, 6) for each in load])
    return ScalingRecord(
        run=run,
        name=re.sub(r"[^a-z0-9]+", "-", made.source.name.lower()).strip("-")[:60] or "policy",
        file=made.file,
        source_form=str(made.source.system),
        target_form=str(made.target.system),
        digest=hashlib.sha256(made.text.encode()).hexdigest(),
        losses=tuple(ScalingLoss(**asdict(each)) for each in made.losses),
        world=asdict(world),
        tolerance=asdict(tolerance),
        yardstick=f"{found.yardstick.kind} {found.yardstick.target:g}",
        load_minutes=len(load),
        load_digest=hashlib.sha256(text.encode()).hexdigest(),
        source=_run(found.source),
        target=_run(found.target),
        word=found.verdict.word,
        reasons=found.verdict.reasons,
        advice=ScalingAdvice(
            tried=advice.tried,
            changes=advice.changes,
            word=advice.verdict.word if advice.verdict else None,
            run=_run(advice.run) if advice.run else None,
        ),
        passed=made.passed and found.verdict.safe,
    )


def _run(run: Run) -> ScalingRun:
    values = {name: getattr(run, name) for name in ScalingRun.model_fields}
    return ScalingRun(
        **{name: round(each, 3) if isinstance(each, float) else each for name, each in values.items()}
    )


async def keep_scaling(
    store: EvidenceStore,
    made: Translation,
    record: ScalingRecord,
    actor: str,
    attempt: Mapping[str, Any] | None = None,
) -> tuple[ScalingRecord, EvidenceRef]:
    """Write settings and record into the evidence store, and note them in the audit trail.

    Idempotency: nothing is overwritten; each call adds a record. Settings that do not pass are not kept.
    """
    run = record.run
    if record.passed:
        path = f"{run.folder}/{SCALING_FOLDER}/{record.name}-{record.digest[:12]}.{record.target_form}.txt"
        kept = await store.write_bytes(path, made.text.encode(), "text/plain; charset=utf-8")
        record = record.model_copy(update={"settings": kept})
    _, ref = await write_next(store, lambda n: scaling_path(run, record.name, n), record)
    act = Act(
        actor=actor,
        action="scaling.compared",
        phase=run.phase,
        run=run.run,
        subject=record.name,
        evidence=(ref,),
        details={"verdict": record.word, "passed": record.passed, **(attempt or {})},
    )
    await AuditTrail(store, run.migration).append(act)
    return record, ref


def require_safe(record: ScalingRecord) -> None:
    """Return where the target is at least as safe as the source, and nothing blocks.

    :raises IncompleteError: it is not; the message tells settings that would be, where some were found.
    """
    if record.passed:
        return
    blocks = [f"{each.subject}: {each.what}" for each in record.losses if each.blocks]
    better = ", ".join(record.advice.changes) if record.advice.word else ""
    raise IncompleteError(
        f"comparing the autoscaling of {record.name}",
        got="; ".join([*blocks, *record.reasons]),
        expected="a target that is at least as safe as the source",
        state="the record is kept; no settings are",
        remedy=f"set the target to: {better}" if better else "see the record's losses and reasons",
        code="9212",
    )
