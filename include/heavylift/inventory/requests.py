"""What an inventory is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from heavylift.evidence.inventory_records import Acceptance
from heavylift.evidence.records import RunKey
from heavylift.spec.sections_assess import AssessAlso, BucketSizes
from heavylift.spec.vocabulary import System

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.spec.model import MigrationSpec


@dataclass(frozen=True)
class InventoryOptions:
    """How an inventory is read.

    :param regions: only these (of Kubernetes: namespaces; of PostgreSQL: databases); empty means all that
        the account may use.
    :param skip: native types that are not read; each is told in the record by a finding.
    :param parallel: requests at once.
    :param max_requests: a second, at most; None means no cap.
    :param account: the account that must answer; any where empty.
    :param bucket_sizes: where sizes of buckets come from.
    :param listing_limit: objects of one bucket that are listed at most, to learn its size.
    """

    regions: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    parallel: int = 16
    max_requests: float | None = 50
    account: str = ""
    bucket_sizes: BucketSizes = BucketSizes.NONE
    listing_limit: int = 1_000_000


@dataclass(frozen=True)
class InventoryRequest:
    """One platform's inventory within one run.

    :param run: where its evidence lies; a run that was interrupted goes on.
    :param evidence_url: the evidence store's URL; None leaves it to the connection.
    """

    run: RunKey
    platform: System
    connection: Connection
    evidence_url: str | None
    evidence_connection: Connection | None
    options: InventoryOptions = field(default_factory=InventoryOptions)


def inventory_connection(spec: MigrationSpec) -> str:
    """Return the id of the connection with which a spec's source is read."""
    own = spec.assess.connection if spec.assess else None
    return own or spec.source.connection


def options_of(spec: MigrationSpec) -> InventoryOptions:
    """Return how a spec's source is read, as its section ``assess`` says."""
    assess = spec.assess
    if assess is None:
        return InventoryOptions()
    return InventoryOptions(
        regions=assess.regions,
        skip=assess.skip,
        max_requests=assess.max_requests,
        account=assess.account or "",
        bucket_sizes=assess.bucket_sizes,
        listing_limit=assess.listing_limit,
    )


def further(spec: MigrationSpec) -> tuple[AssessAlso, ...]:
    """Return what a spec names beside its source: servers, stores and accounts."""
    return spec.assess.also if spec.assess else ()


def further_connections(spec: MigrationSpec) -> tuple[str, ...]:
    """Return the ids of the connections with which that is read."""
    return tuple(each.connection for each in further(spec))


def inventory_request(
    spec: MigrationSpec, run: RunKey, connections: Callable[[str], Connection], connection: str = ""
) -> InventoryRequest:
    """Return the request that reads a spec's source, or what the spec names beside it.

    :param connections: looks a connection up by its id.
    :param connection: which of :func:`further_connections`; the source's where empty.
    """
    evidence = spec.evidence
    system, options = System(spec.source.platform.value), options_of(spec)
    if connection:
        also = next(each for each in further(spec) if each.connection == connection)
        system, options = also.system, options_further(spec, also)
    return InventoryRequest(
        run=run,
        platform=system,
        connection=connections(connection or inventory_connection(spec)),
        evidence_url=evidence.url,
        evidence_connection=connections(evidence.connection) if evidence.connection else None,
        options=options,
    )


def options_further(spec: MigrationSpec, also: AssessAlso) -> InventoryOptions:
    """Return how one of the further connections is read."""
    return replace(options_of(spec), regions=also.regions, skip=also.skip, account=also.account or "")


def acceptances_of(spec: MigrationSpec) -> list[Acceptance]:
    """Return the references to outside that a spec explains."""
    explained = spec.assess.references if spec.assess else ()
    return [Acceptance(target=each.target, reason=each.reason) for each in explained]
