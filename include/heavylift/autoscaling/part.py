"""The autoscaling of a spec, translated for the phase provision, and both sides simulated at one load."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.autoscaling.compare import Tolerance, compare
from heavylift.autoscaling.files import SUFFIX, files_of
from heavylift.autoscaling.keeping import record_of
from heavylift.autoscaling.load import read_load
from heavylift.autoscaling.model import System
from heavylift.autoscaling.simulate import World
from heavylift.autoscaling.translate import Translation, translate
from heavylift.evidence.part_evidence import Accepted, Made, judge_gaps
from heavylift.evidence.part_records import PartGap, PartProblem
from heavylift.spec.beside import one_beside
from heavylift.spec.secrets import holds_secret

if TYPE_CHECKING:
    from heavylift.spec.sections_jobs import ScalingPolicy

JUDGE = "a simulation of both at the same load"


@dataclass(frozen=True)
class ScalingRequest:
    """The policies that are translated, and the spec's file, beside which their settings and loads lie."""

    spec_path: str
    policies: tuple[ScalingPolicy, ...]


def make_autoscaling(request: ScalingRequest, stop: threading.Event | None = None) -> Made:
    """Translate every policy, and simulate both sides at its load; writes nothing.

    What the target cannot hold and stands in the way is told as a gap, and its settings are not kept. A
    target that is less safe than its source is told as a problem; the settings that would be safe are kept
    as advice, where some were found.

    Idempotency: there is no chance in a simulation: the same files give the same ones.

    :param stop: no further policy is simulated once it is set; what is returned then is of no use.
    :raises NotFoundError: a file is missing.
    :raises SpecError: settings or load cannot be used, or lie outside of the spec's folder.
    """
    made = Made("autoscaling", "", "")
    made.counts = dict.fromkeys(("policies", "equivalent", "dearer", "with_loss"), 0)
    sources = set[str]()
    for policy in request.policies:
        if stop is not None and stop.is_set():
            break
        sources.add(_add(made, request.spec_path, policy))
    made.source = ", ".join(sorted(sources))
    made.target = ", ".join(sorted({each.target_kind.value for each in request.policies}))
    made.loader = JUDGE if made.valid or made.invalid else ""
    return made


def _add(made: Made, spec_path: str, policy: ScalingPolicy) -> str:
    """Add one policy; return its source's system."""
    done = translate(one_beside(spec_path, policy.settings), System(policy.target_kind.value))
    gaps = [
        PartGap(subject=f"{policy.name}: {each.subject}", what=each.what, remedy=each.remedy)
        for each in done.losses
        if each.blocks
    ]
    accepted = [
        Accepted(f"{policy.name}: {each.subject}", each.reason) for each in policy.accept_untranslated
    ]
    judged, unused = judge_gaps(gaps, accepted)
    made.gaps += judged
    made.unused += unused
    made.counts["policies"] += 1
    made.counts["with_loss"] += len(done.losses) - len(gaps)
    if holds_secret(done.text):
        made.gaps.append(
            PartGap(
                subject=f"{policy.name}: its text",
                what="a value that looks like a secret stands in the settings, which therefore are not kept",
                remedy="take it out of the source's settings",
            )
        )
    elif done.passed:
        _compare(made, spec_path, policy, done)
    return done.source.system.value


def _compare(made: Made, spec_path: str, policy: ScalingPolicy, done: Translation) -> None:
    """Add what both sides make of the load, and the files."""
    load = read_load(one_beside(spec_path, policy.load))
    world = World(policy.capacity, policy.start_seconds, policy.waiting)
    tolerance = Tolerance(excess=policy.excess)
    found = compare(done.source, done.target, load, world, tolerance)
    record = record_of(done, found, load, world, tolerance)
    files = files_of(done, found, load, policy.name)
    settings = f"{policy.name}.{SUFFIX[done.target.system]}"
    if found.verdict.safe:
        made.valid += 1
        made.counts["equivalent" if found.verdict.word == "equivalent" else "dearer"] += 1
    else:
        # Settings that are less safe are not handed over; those that would be safe are, as advice.
        del files[settings]
        made.invalid += 1
        better = ", ".join(record.advice.changes) if record.advice.word else ""
        advice = f"; safe would be: {better}" if better else ""
        problem = f"less safe than the source: {'; '.join(found.verdict.reasons)}{advice}"
        made.problems.append(PartProblem(file=settings, problem=problem[:500]))
    told = record.model_dump(mode="json", exclude={"run", "made_at", "schema_version"})
    files[f"{policy.name}.report.json"] = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    made.files |= files
