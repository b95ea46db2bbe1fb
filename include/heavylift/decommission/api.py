"""What operators and commands call to give a source up."""

from __future__ import annotations

from dataclasses import dataclass

from heavylift.decommission.acts import Deletion, delete, disable, restore
from heavylift.decommission.certificate import certify
from heavylift.decommission.life import give_consent
from heavylift.decommission.planning import make_plan
from heavylift.decommission.requests import LeavingRequest, Tell, silent
from heavylift.decommission.unused import look_unused
from heavylift.evidence.decommission_evidence import PlanLife, latest_certificate, latest_life
from heavylift.evidence.decommission_records import DeletionCertificate
from heavylift.evidence.run_evidence import Kept

__all__ = [
    "Deletion",
    "LeavingRequest",
    "LeavingStatus",
    "PlanLife",
    "Tell",
    "certify",
    "delete",
    "disable",
    "give_consent",
    "latest_life",
    "look_unused",
    "make_plan",
    "restore",
    "silent",
    "status",
]


@dataclass(frozen=True)
class LeavingStatus:
    """How far a source has been given up; nothing in it where there is no plan."""

    life: PlanLife | None = None
    certificate: Kept[DeletionCertificate] | None = None


async def status(request: LeavingRequest) -> LeavingStatus:
    """Tell how far the source has been given up, by the evidence; changes nothing."""
    life = await latest_life(request.store, request.spec.migration)
    certificate = await latest_certificate(request.store, life) if life else None
    return LeavingStatus(life, certificate)
