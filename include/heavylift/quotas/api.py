"""What operators and commands call: read the quotas of a platform's region, and keep them as evidence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from heavylift.errors import NotFoundError
from heavylift.evidence.numbered import write_next
from heavylift.evidence.quota_records import QuotaRecord, quotas_path
from heavylift.evidence.store import open_evidence
from heavylift.platforms.control import Limits
from heavylift.platforms.planes import open_control_plane

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.records import RunKey
    from heavylift.platforms.control import ControlPlane
    from heavylift.quotas.model import Found, QuotaReader
    from heavylift.spec.model import MigrationSpec

_READERS = {
    "aws": ("heavylift.quotas.aws", "ServiceQuotas"),
    "gcp": ("heavylift.quotas.gcp", "ConsumerQuotas"),
    "azure": ("heavylift.quotas.azure", "AzureUsages"),
    "kubernetes": ("heavylift.quotas.kubernetes", "ClusterQuotas"),
}
Stored = tuple["str | None", "Connection | None"]


@dataclass(frozen=True)
class QuotaRequest:
    """The quotas of one platform's region, read with one connection."""

    run: RunKey
    platform: str
    region: str
    connection: Connection
    evidence_url: str | None
    evidence_connection: Connection | None
    max_requests: float | None = 50.0


def quota_request(
    spec: MigrationSpec,
    run: RunKey,
    connections: Callable[[str], Connection],
    connection: str,
    region: str,
    *,
    stored: Stored | None = None,
) -> QuotaRequest:
    """Return the request for an entry of ``assess.quotas``.

    :param connections: looks a connection up by its id.
    :param stored: URL and connection of the evidence store, in place of the spec's.
    :raises NotFoundError: the spec has no such entry.
    """
    assess = spec.assess
    for each in assess.quotas if assess else ():
        if (each.connection, each.region) == (connection, region) and assess:
            evidence = spec.evidence
            conn_id = evidence.connection
            url, conn = stored or (evidence.url, connections(conn_id) if conn_id else None)
            platform = each.platform.value
            return QuotaRequest(
                run, platform, region, connections(connection), url, conn, assess.max_requests
            )
    raise NotFoundError(
        f"reading the quotas of {connection!r} in {region!r}",
        got="a spec that does not want them",
        expected="an entry of assess.quotas with this connection and region",
        state="nothing was asked",
        remedy="correct the spec, or the names",
        code="9413",
    )


async def read_quotas(request: QuotaRequest) -> tuple[QuotaRecord, EvidenceRef]:
    """Read the quotas of a region, and keep them.

    Only reads. Idempotency: each call reads afresh and writes the next record of the run, whole, at the end.
    What may not be read, or is not answered, is a finding.

    :raises CredentialError: the platform does not accept the credentials.
    :raises ConnectionConfigError: the connection is of another type, or lacks a field.
    """
    began = time.monotonic()
    limits = Limits(request.max_requests)
    plane = await asyncio.to_thread(open_control_plane, request.platform, request.connection, limits)
    try:
        account, found = await asyncio.to_thread(_read, plane, request)
        requests = plane.requests
    finally:
        await asyncio.to_thread(plane.close)
    record = QuotaRecord(
        run=request.run,
        platform=request.platform,
        region=request.region,
        connection=request.connection.conn_id,
        account=account,
        limits=tuple(found.limits[key] for key in sorted(found.limits)),
        rules=tuple(each for each in found.rules if each.key in found.limits),
        missing=tuple(found.missing),
        findings=tuple(dict.fromkeys(found.findings)),
        complete=not found.findings,
        requests=requests,
        seconds=round(time.monotonic() - began, 3),
    )
    conn_id = request.connection.conn_id
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        _, ref = await write_next(
            store, lambda n: quotas_path(request.run, conn_id, request.region, n), record
        )
    return record, ref


def _read(plane: ControlPlane, request: QuotaRequest) -> tuple[str, Found]:
    module, name = _READERS[request.platform]
    reader: QuotaReader = getattr(import_module(module), name)(plane)
    return plane.account().id, reader.read(request.region)
