"""Chain of custody: each step of a device is evidence and stands in the audit trail.

The state of a device is what its custody entries say, read in order. Each points to the entry of
the audit trail that says the same, so neither a file that somebody put there nor a task that
somebody marked successful moves a device on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from heavylift.errors import AlreadyExistsError, AuditError, ConflictError, PermanentError
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act, AuditEntry, hash_of
from heavylift.evidence.paths import audit_folder
from heavylift.evidence.records import EvidenceRef
from heavylift.evidence.run_evidence import Kept, read_all, read_kept
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.appliances.places import device_path
from heavylift.objects.appliances.records import PATH, SETTLED, Custody, CustodyEntry
from heavylift.objects.appliances.requests import ApplianceRequest

FACTS = ("serial", "job", "tracking", "carrier", "seal", "mounted_at", "reason")
"""What a step may tell, besides who and when."""

NEEDED = {
    Custody.ORDERED: ("job",),
    Custody.DELIVERED: ("serial", "mounted_at"),
    Custody.SHIPPED: ("tracking",),
    Custody.LOST: ("reason",),
}
"""What a step must tell."""


@dataclass(frozen=True)
class DeviceCustody:
    """A device's custody so far.

    :param entries: all steps, in order.
    """

    device: str
    entries: tuple[Kept[CustodyEntry], ...] = ()

    @property
    def state(self) -> Custody:
        """The state now."""
        return self.entries[-1].record.state if self.entries else Custody.PLANNED

    def fact(self, name: str) -> str:
        """Return the latest word on ``name`` (serial, job, mounted_at, …), empty where there is none."""
        return next(
            (value for kept in reversed(self.entries) if (value := str(getattr(kept.record, name)))), ""
        )

    def has_reached(self, state: Custody) -> bool:
        """Tell whether the device is at or beyond ``state`` on its way; a lost one is nowhere."""
        return self.state in PATH and PATH.index(self.state) >= PATH.index(state)


@dataclass(frozen=True)
class Step:
    """One step that is to be recorded.

    :param facts: some of :data:`FACTS`.
    """

    state: Custody
    actor: str
    facts: dict[str, str]
    actor_name: str = ""
    evidence: tuple[EvidenceRef, ...] = ()


async def read_custody(evidence: EvidenceStore, request: ApplianceRequest, device: str) -> DeviceCustody:
    """Return a device's custody, each entry of it confirmed by the audit trail.

    :raises AuditError: an entry says something else than the trail, or the trail is damaged.
    """
    entries = await read_all(evidence, _path_of(request, device), CustodyEntry)
    for kept in entries:
        await _demand_trail(evidence, kept)
    return DeviceCustody(device, tuple(entries))


async def record_step(
    evidence: EvidenceStore, request: ApplianceRequest, device: str, step: Step
) -> DeviceCustody:
    """Record one step of a device, first in the audit trail, and return its custody after it.

    Idempotent: a step to the state in which the device is, with the same facts, is not recorded
    again. A call that is killed in between leaves an act in the trail that moved nothing.

    :raises ConflictError: the device cannot go from its state to that one.
    :raises PermanentError: the step lacks a fact that it must tell.
    """
    _demand_facts(device, step)
    while True:
        custody = await read_custody(evidence, request, device)
        if custody.entries and _same(custody.entries[-1].record, step):
            return custody
        _demand_possible(custody, step)
        act = await AuditTrail(evidence, request.run.migration).append(_act(request, custody, step))
        entry = _entry(request, custody, step, act)
        try:
            ref = await evidence.write_json(_path_of(request, device)(entry.number), entry)
        except AlreadyExistsError:
            continue  # Somebody was first: judged anew by what they recorded.
        return DeviceCustody(device, (*custody.entries, Kept(ref, entry)))


def demand_state(custody: DeviceCustody, *states: Custody, what: str) -> None:
    """Make sure that a device is in one of ``states``.

    :raises ConflictError: it is not.
    """
    if custody.state in states:
        return
    raise ConflictError(
        f"{what} of device {custody.device}",
        got=f"a device that is {custody.state.value}",
        expected=" or ".join(state.value for state in states),
        state="the device and the target are as they were",
        remedy="record the steps before this one first: 'heavylift appliance status' shows them",
        code="5710",
    )


def _path_of(request: ApplianceRequest, device: str) -> Callable[[int], str]:
    return lambda number: device_path(request.run, request.dataset, device, "custody", number)


def _same(entry: CustodyEntry, step: Step) -> bool:
    told = {name: value for name in FACTS if (value := getattr(entry, name))}
    return entry.state is step.state and told == {n: v for n, v in step.facts.items() if v}


def _demand_facts(device: str, step: Step) -> None:
    unknown = sorted(set(step.facts) - set(FACTS))
    missing = [name for name in NEEDED.get(step.state, ()) if not step.facts.get(name, "").strip()]
    long = [name for name, value in step.facts.items() if len(value) > 500]
    if not (unknown or missing or long):
        return
    raise PermanentError(
        f"recording that device {device} is {step.state.value}",
        got=f"no {', '.join(missing)}"
        if missing
        else f"facts that cannot be kept: {', '.join(unknown + long)}",
        expected=f"{', '.join(NEEDED.get(step.state, ()))} of at most 500 characters",
        state="nothing was recorded; the device is where it was",
        remedy="give what is missing",
        code="5711",
    )


def _demand_possible(custody: DeviceCustody, step: Step) -> None:
    now, wanted = custody.state, step.state
    if wanted is Custody.LOST:
        possible = now not in SETTLED
    elif now in SETTLED or wanted is Custody.PLANNED:
        possible = False
    else:
        ahead = PATH.index(wanted) - PATH.index(now)
        # Back, or the same again with other facts, only with a reason: a correction, a second delivery.
        possible = ahead == 1 or (ahead <= 0 and bool(step.facts.get("reason")))
    if possible:
        return
    following = PATH[PATH.index(now) + 1].value if now in PATH[:-1] else "nothing: it is settled"
    raise ConflictError(
        f"recording that device {custody.device} is {wanted.value}",
        got=f"a device that is {now.value}",
        expected=f"{following}; or an earlier state, or lost, with a reason",
        state="nothing was recorded; the device is where it was",
        remedy="record the steps in their order; go back only with a reason",
        code="5712",
    )


def _act(request: ApplianceRequest, custody: DeviceCustody, step: Step) -> Act:
    return Act(
        actor=step.actor,
        action=f"appliance.{step.state.value}",
        phase=request.run.phase,
        run=request.run.run,
        subject=f"{request.dataset}/{custody.device}",
        evidence=step.evidence,
        details={
            "step": len(custody.entries) + 1,
            "before": custody.state.value,
            "actor_name": step.actor_name,
            **{name: value for name, value in step.facts.items() if value},
        },
    )


def _entry(request: ApplianceRequest, custody: DeviceCustody, step: Step, act: AuditEntry) -> CustodyEntry:
    return CustodyEntry(
        run=request.run,
        dataset=request.dataset,
        device=custody.device,
        number=len(custody.entries) + 1,
        state=step.state,
        before=custody.state,
        at=act.time,
        actor=step.actor,
        actor_name=step.actor_name,
        evidence=step.evidence,
        audit_seq=act.seq,
        audit_hash=act.hash,
        **{name: value for name, value in step.facts.items() if value},
    )


async def _demand_trail(evidence: EvidenceStore, kept: Kept[CustodyEntry]) -> None:
    entry = kept.record
    path = f"{audit_folder(entry.run.migration)}/{entry.audit_seq:012d}.json"
    act = await read_kept(evidence, path, AuditEntry)
    if act is not None and _confirms(act.record, entry):
        return
    raise AuditError(
        f"reading step {entry.number} of device {entry.device}, {kept.ref.path}",
        got="a step that the audit trail does not have",
        expected=f"entry {entry.audit_seq} of the trail to say the same",
        state="the step counts for nothing; nothing was done with the device",
        remedy="run 'heavylift audit verify'; find out who wrote that file, and take it away",
        code="5713",
    )


def _confirms(act: AuditEntry, entry: CustodyEntry) -> bool:
    told = {name: value for name in FACTS if (value := getattr(entry, name))}
    details = {name: value for name in FACTS if (value := act.details.get(name))}
    return (
        act.hash == hash_of(act) == entry.audit_hash
        and act.action == f"appliance.{entry.state.value}"
        and (act.phase, act.run) == (entry.run.phase, entry.run.run)
        and act.subject == f"{entry.dataset}/{entry.device}"
        and act.actor == entry.actor
        and act.evidence == entry.evidence
        and act.details.get("step") == entry.number
        and told == details
    )
