"""The steps that people take with a device, and what each of them demands first."""

from __future__ import annotations

from dataclasses import replace

from heavylift.errors import PermanentError
from heavylift.objects.appliances.checking import demand_checked
from heavylift.objects.appliances.custody import DeviceCustody, Step, record_step
from heavylift.objects.appliances.mounting import mount_point
from heavylift.objects.appliances.planning import demand_device
from heavylift.objects.appliances.records import Custody
from heavylift.objects.appliances.requests import ApplianceRequest
from heavylift.objects.sessions import evidence_of

PEOPLES_STEPS = (
    Custody.ORDERED,
    Custody.DELIVERED,
    Custody.SHIPPED,
    Custody.INGESTED,
    Custody.LOST,
)
"""What a person records; the others are recorded by the work that proves them."""


async def take_step(request: ApplianceRequest, device: str, step: Step) -> DeviceCustody:
    """Record a step that a person took with a device.

    A device is shipped only with a check of its latest load that passed; that check becomes the
    step's evidence. Idempotent, see ``custody.record_step``.

    :raises ConflictError: the device cannot go from its state to that one.
    :raises IncompleteError: it is to be shipped and its latest load is not proved.
    :raises PermanentError: a fact is missing, or the state is not for people to record.
    """
    if step.state not in PEOPLES_STEPS:
        raise PermanentError(
            f"recording that device {device} is {step.state.value}",
            got="a state that only the work itself can prove",
            expected=", ".join(state.value for state in PEOPLES_STEPS),
            state="nothing was recorded",
            remedy="run that work: 'heavylift appliance load', 'check' or 'reconcile'",
            code="5714",
        )
    async with evidence_of(request.transfer) as evidence:
        await demand_device(evidence, request, device)
        if step.state is Custody.DELIVERED:
            mount_point(request, step.facts.get("mounted_at", ""))
        if step.state is Custody.SHIPPED:
            proof = await demand_checked(evidence, request, device)
            step = replace(step, evidence=(*step.evidence, proof))
        return await record_step(evidence, request, device, step)
