"""Which inventories a migration has, and which run is to go on."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from heavylift.errors import SpecError
from heavylift.evidence.assess_evidence import ASSESS_PHASE
from heavylift.evidence.base import Record
from heavylift.evidence.inventory_records import INVENTORY_FOLDER, inventory_folder, inventory_path
from heavylift.evidence.numbered import latest_number
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import RunKey, utc_now
from heavylift.platforms.control import Account

if TYPE_CHECKING:
    from heavylift.evidence.store import EvidenceStore
    from heavylift.inventory.requests import InventoryRequest
    from heavylift.platforms.control import ControlPlane

MAX_AGE = timedelta(hours=24)
"""An unfinished run that began longer ago is not gone on with: what it read would be too old."""


class BegunRecord(Record):
    """What an inventory began with."""

    schema_version: Literal["heavylift/inventory-begun/v1"] = "heavylift/inventory-begun/v1"
    began_at: datetime
    account: str
    partition: str
    regions: tuple[str, ...]
    skip: tuple[str, ...] = ()


@dataclass(frozen=True)
class Begun:
    """An inventory under way: the ``number``-th of its run."""

    number: int
    began_at: datetime
    account: Account
    regions: tuple[str, ...]


async def begin(store: EvidenceStore, request: InventoryRequest, plane: ControlPlane) -> Begun:
    """Begin the run's next inventory, or go on with the one that was interrupted.

    :raises CredentialError: the platform does not accept the credentials.
    """
    connection = request.connection.conn_id
    number = 1 + await latest_number(store, lambda n: inventory_path(request.run, connection, n))
    path = _begun_path(request.run, connection, number)
    account = await asyncio.to_thread(plane.account)
    _demand_account(request, account)
    regions = await asyncio.to_thread(_regions, request, plane)
    if not await store.exists(path):
        record = BegunRecord(
            began_at=utc_now(),
            account=account.id,
            partition=account.partition,
            regions=regions,
            skip=request.options.skip,
        )
        await store.write_json(path, record)
        return Begun(number, record.began_at, account, regions)
    record = await store.read_record(path, BegunRecord)
    if (record.account, record.regions, record.skip) == (account.id, regions, request.options.skip):
        return Begun(number, record.began_at, account, regions)
    raise SpecError(
        f"going on with the inventory of run {request.run.run}",
        got=f"account {account.id}, regions {', '.join(regions)}",
        expected=f"what it began with: account {record.account}, regions {', '.join(record.regions)}",
        state="nothing was read",
        remedy="use the same --region and --skip, or begin anew with --fresh",
        code="7626",
    )


def _demand_account(request: InventoryRequest, account: Account) -> None:
    wanted = request.options.account
    if wanted and account.id != wanted:
        raise SpecError(
            f"taking the inventory through connection {request.connection.conn_id!r}",
            got=f"account {account.id}",
            expected=f"account {wanted}, as the spec says (assess.account)",
            state="nothing was read",
            remedy="correct the connection's credentials, or assess.account",
            code="7628",
        )


def _regions(request: InventoryRequest, plane: ControlPlane) -> tuple[str, ...]:
    enabled = plane.regions()
    if not request.options.regions:
        return tuple(enabled)
    unknown = sorted(set(request.options.regions) - set(enabled))
    if unknown:
        raise SpecError(
            "reading --region",
            got=", ".join(unknown),
            expected=f"regions that the account may use: {', '.join(enabled)}",
            state="nothing was touched",
            remedy="correct --region, or enable the region for the account",
            code="7627",
        )
    return tuple(sorted(set(request.options.regions)))


async def unfinished_run(store: EvidenceStore, migration: str, connection: str) -> RunKey | None:
    """Return the newest run whose inventory of a connection was interrupted not long ago, or None."""
    names = set(await store.names(f"{migration}/{ASSESS_PHASE}"))
    place = re.escape(safe_segment(connection))
    folder = rf"{re.escape(migration)}/{ASSESS_PHASE}/([^/]+)/{INVENTORY_FOLDER}/{place}"
    begun = re.compile(rf"{folder}/begun-(\d+)\.json")
    found: list[tuple[datetime, RunKey]] = []
    for name in names:
        match = begun.fullmatch(name)
        if match is None:
            continue
        run = RunKey(migration=migration, phase=ASSESS_PHASE, run=match[1])
        if inventory_path(run, connection, int(match[2])) not in names:
            record = await store.read_record(name, BegunRecord)
            found.append((record.began_at, run))
    recent = [each for each in found if each[0] > utc_now() - MAX_AGE]
    return max(recent, key=lambda each: each[0])[1] if recent else None


def _begun_path(run: RunKey, connection: str, number: int) -> str:
    return f"{inventory_folder(run, connection)}/begun-{number}.json"
