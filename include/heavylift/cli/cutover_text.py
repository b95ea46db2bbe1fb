"""What ``heavylift cutover`` tells people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.loss_records import LossRecord
    from heavylift.evidence.switch_records import (
        ReadinessRecord,
        RehearsalRecord,
        SwitchRecord,
        SwitchStep,
    )


def status_text(found: dict[str, Any]) -> str:
    """Return where everything is now."""
    turn, world = found["turn"], found["world"]
    lines = [
        f"turn {turn['epoch']}: to the {turn['goal']}, taken by {turn['actor']} at {turn['taken_at']}"
        if turn
        else "nobody has switched yet"
    ]
    for each in world["databases"]:
        partly = f", partly: {', '.join(each['partly'])}" if each["partly"] else ""
        name = each["database"]
        named = name if name.startswith("stream ") else f"database {name}"
        lines.append(f"{named}: source {each['source']}, target {each['target']}{partly}")
    for each in world["routes"]:
        mirrored = f", {each['mirror_percent']} % mirrored" if each["mirror_percent"] else ""
        lines.append(f"{each['route']}: {each['target_percent']} % to the target{mirrored}")
    lines += [
        f"schedule {each['schedule']}: source {each['source']}, target {each['target']}"
        for each in world["schedules"]
    ]
    return "\n".join(lines)


def readiness_text(record: ReadinessRecord, ref: EvidenceRef) -> str:
    """Return what was looked at, and what is missing."""
    lines = [
        f"{'ready    ' if each.passed else 'NOT READY'}  {each.item} {each.subject}".rstrip()
        + f": {each.detail}"
        for each in record.items
    ]
    count = len(record.open_items)
    lines.append(f"{len(record.items)} looked at, {count} not ready; {record.owner} answers for the switch")
    return "\n".join([*lines, f"evidence: {ref.path}"])


def rehearsal_text(record: RehearsalRecord, ref: EvidenceRef) -> str:
    """Return what was tried, and how long writes would have paused."""
    word = "passed" if record.passed else f"did not pass: {record.reason}"
    told = (
        f"rehearsal {word}\nwrites would have paused for {record.expected_pause_seconds:.2f} s"
        f" of {record.write_pause_budget_seconds:g} s"
    )
    return "\n".join([*_steps(record.steps), told, f"evidence: {ref.path}"])


def switch_text(record: SwitchRecord, ref: EvidenceRef) -> str:
    """Return what a switch did."""
    words = {
        "switched": f"everything is on the {record.goal}",
        "already": f"everything was on the {record.goal} already",
        "returned": "writes go on where they were",
        "between": "it is half done; run it again",
    }
    proofs = [f"{each.database}: {each.statement or 'not compared'}" for each in record.proofs]
    told = (
        f"{words[record.outcome]}; writes paused for {record.write_pause_seconds:.2f} s"
        f" of {record.write_pause_budget_seconds:g} s, {record.seconds:.2f} s in all"
    )
    return "\n".join([*_steps(record.steps), *proofs, told, f"evidence: {ref.path}"])


def losses_text(record: LossRecord, ref: EvidenceRef) -> str:
    """Return what is lost, and how to accept it."""
    lines = [f"does not answer: {', '.join(record.gone)}"]
    lines += [f"lost: {each.subject}: {each.detail}" for each in record.losses]
    lines.append(f"to accept just that: heavylift cutover rollback SPEC --without-target {record.digest}")
    return "\n".join([*lines, f"evidence: {ref.path}"])


def _steps(steps: tuple[SwitchStep, ...]) -> list[str]:
    return [f"{each.seconds:8.2f} s  {each.step} {each.subject}".rstrip() for each in steps]
