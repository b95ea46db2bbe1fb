"""Which run of the offline path a command means: it takes weeks, and every command is one process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError, NotFoundError, SpecError
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import RunKey

if TYPE_CHECKING:
    from heavylift.evidence.store import EvidenceStore
    from heavylift.objects.appliances.requests import ApplianceRequest
    from heavylift.objects.appliances.standing import ShipmentStanding
    from heavylift.spec import MigrationSpec


def fresh_run() -> str:
    """Return the name of a new run: the time."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")


async def choose_run(
    spec: MigrationSpec,
    make: Callable[[RunKey], ApplianceRequest],
    wanted: str | None,
    *,
    planning: bool,
) -> ApplianceRequest:
    """Return the request of the run that is meant.

    :param wanted: its name; None means the latest run that has a plan of this dataset.
    :param planning: a new run is begun where there is none, or where the latest is at its end.
    :raises NotFoundError: nothing was planned yet.
    """
    from heavylift.objects.appliances.standing import read_standing
    from heavylift.objects.sessions import evidence_of

    if wanted is not None:
        return make(_key(spec, wanted))
    fresh = make(_key(spec, fresh_run()))
    async with evidence_of(fresh.transfer) as store:
        for name in await _runs(store, spec.migration, fresh.dataset):
            request = make(RunKey(migration=spec.migration, phase="appliance", run=name))
            standing = await read_standing(store, request)
            if not planning or standing.unsettled or _lost_without_another(standing):
                return request
            break
    if planning:
        return fresh
    raise NotFoundError(
        f"looking for devices of dataset {fresh.dataset!r}",
        got="no plan in this evidence store",
        expected="a run that was planned",
        state="nothing was touched",
        remedy="plan first: 'heavylift appliance plan SPEC'",
        code="5752",
    )


def _key(spec: MigrationSpec, run: str) -> RunKey:
    return RunKey(migration=spec.migration, phase="appliance", run=safe_segment(run))


async def _runs(store: EvidenceStore, migration: str, dataset: str) -> list[str]:
    """Return the runs that have a plan of ``dataset``, the latest first."""
    found: dict[str, datetime] = {}
    async for file in store.files(f"{migration}/appliance"):
        run, folder, name, *rest = [*file.path.split("/")[2:], "", ""]
        if folder == safe_segment(dataset) and name == "shipment-1.json" and not any(rest):
            found[run] = file.modified_at
    return sorted(found, key=lambda run: found[run], reverse=True)


def _lost_without_another(standing: ShipmentStanding) -> bool:
    from heavylift.objects.appliances.records import Custody

    return any(
        device.custody.state is Custody.LOST and device.planned.id not in standing.replaced
        for device in standing.devices
    )


def on_their_way(standing: ShipmentStanding) -> ConflictError:
    """Return the error of who wants to transfer online what travels."""
    return ConflictError(
        f"online transfer of dataset {standing.dataset!r}",
        got="; ".join(standing.unsettled[:5]),
        expected="every device reconciled, or recorded as lost",
        state="nothing was moved",
        remedy="finish the devices first; --now copies their objects online as well",
        code="5753",
    )


def which_dataset(path: Path, names: tuple[str, ...]) -> SpecError:
    """Return the error of who has to name a dataset."""
    return SpecError(
        f"reading the spec {path.name}",
        got=f"{len(names)} datasets that travel on devices",
        expected=f"--dataset, one of {', '.join(names)}" if names else "a dataset with a section 'appliance'",
        state="nothing was touched",
        remedy="name the dataset, or add the section to the spec",
        code="5751",
    )
