"""Which gates wait for a person, which are shut, and how long what they prove still counts."""

from __future__ import annotations

from datetime import datetime, timedelta

from heavylift.evidence.paths import original_text
from heavylift.evidence.wording import duration
from heavylift.report.doctor.ailments import Ailment, Urgency
from heavylift.report.story import GateStory, RunStory
from heavylift.spec.gates import Gate
from heavylift.spec.model import MigrationSpec
from heavylift.spec.registry_phase import spec_for
from heavylift.spec.vocabulary import Phase

_SOON = 0.2
"""The last share of a gate's age in which its end is told."""


def examine_gates(
    story: RunStory, spec: MigrationSpec | None, now: datetime
) -> tuple[list[str], list[Ailment]]:
    """Return a line for each gate of a run, and what is to be done about it."""
    rules = _rules(story, spec)
    facts: list[str] = []
    ailments: list[Ailment] = []
    for gate in story.gates:
        rule = rules.get(gate.name)
        facts.append(f"{gate.standing}{_rest_in_words(gate, rule, now)}")
        found = _waits(story, gate, rule, now) or _ages(story, gate, rule, now)
        if found:
            ailments.append(found)
    return facts, ailments


def is_waiting(gate: GateStory) -> bool:
    """Tell whether a gate has passed and nobody has answered it."""
    if gate.is_open or not gate.results or not gate.results[-1].record.passed:
        return False
    return not any(answer.record.gate_result == gate.results[-1].ref for answer in gate.approvals)


def _rules(story: RunStory, spec: MigrationSpec | None) -> dict[str, Gate]:
    if spec is None or story.run.phase not in {phase.value for phase in Phase}:
        return {}
    phase = Phase(story.run.phase)
    return {gate.name: gate for gate in spec_for(spec, phase).gates_for(phase)}


def _waits(story: RunStory, gate: GateStory, rule: Gate | None, now: datetime) -> Ailment | None:
    if not is_waiting(gate):
        return None
    since = gate.results[-1].record.evaluated_at
    left = ""
    who = "somebody who may approve it"
    if rule is not None:
        end = since + timedelta(seconds=rule.approval.timeout)
        left = (
            f"; {duration(end - now)} are left" if end > now else "; its time is over: it counts as rejected"
        )
        who = ", ".join(rule.approval.assigned_users) or who
    title = original_text(story.run.run) or story.run.run
    dag = f"{story.run.migration}.{story.run.phase}"
    return Ailment(
        Urgency.WAITING,
        f"{dag} gate {gate.name}",
        f"it passed and has waited for approval for {duration(max(now - since, timedelta()))}{left}",
        f"{who}: in Airflow's UI open Required Actions, run {title} of DAG {dag},"
        f" task gate_{gate.name}.approve",
    )


def _ages(story: RunStory, gate: GateStory, rule: Gate | None, now: datetime) -> Ailment | None:
    rest = _rest(gate, rule, now)
    if rule is None or rest is None or not gate.is_open or rest > _SOON * timedelta(seconds=rule.max_age):
        return None
    dag = f"{story.run.migration}.{story.run.phase}"
    over = rest < timedelta()
    problem = (
        f"its result is too old by {duration(-rest)}"
        if over
        else f"its result counts for {duration(rest)} more"
    )
    remedy = (
        f"trigger DAG {dag} again before the next phase asks for it:"
        " unchanged data is proved, not moved again"
    )
    return Ailment(Urgency.SOON, f"{dag} gate {gate.name}", problem, remedy)


def _rest(gate: GateStory, rule: Gate | None, now: datetime) -> timedelta | None:
    if rule is None or not gate.results:
        return None
    return gate.results[-1].record.evaluated_at + timedelta(seconds=rule.max_age) - now


def _rest_in_words(gate: GateStory, rule: Gate | None, now: datetime) -> str:
    rest = _rest(gate, rule, now)
    if rest is None or not gate.is_open:
        return ""
    return f", for {duration(rest)} more" if rest > timedelta() else f", stale since {duration(-rest)}"
