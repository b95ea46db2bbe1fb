"""Tells of comparisons of autoscaling."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from heavylift.autoscaling.compare import Comparison, Tolerance
from heavylift.autoscaling.simulate import Run, World
from heavylift.evidence.records import RunKey
from heavylift.evidence.scaling_records import (
    ScalingAdvice,
    ScalingLoss,
    ScalingRecord,
    ScalingRun,
)

if TYPE_CHECKING:
    from heavylift.autoscaling.translate import Translation

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
