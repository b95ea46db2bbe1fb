"""What an inventory is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from heavylift.evidence.inventory_records import Acceptance
from heavylift.evidence.records import RunKey
from heavylift.spec.sections_assess import BucketSizes

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.spec.model import MigrationSpec


class System(StrEnum):
    """What an inventory is taken of: the platforms of a spec, and single servers beside them."""

    AWS = "aws"
    GCP = "gcp"
    AZURE = "azure"
    KUBERNETES = "kubernetes"
    MLFLOW = "mlflow"
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    KAFKA = "kafka"
    FILES = "files"
    OBJECTS = "objects"


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


def inventory_request(
    spec: MigrationSpec,
    run: RunKey,
    connections: Callable[[str], Connection],
    options: InventoryOptions | None = None,
) -> InventoryRequest:
    """Return the request that reads a spec's source.

    :param connections: looks a connection up by its id.
    :param options: in place of what the spec's section ``assess`` says.
    """
    evidence = spec.evidence
    return InventoryRequest(
        run=run,
        platform=System(spec.source.platform.value),
        connection=connections(inventory_connection(spec)),
        evidence_url=evidence.url,
        evidence_connection=connections(evidence.connection) if evidence.connection else None,
        options=options or options_of(spec),
    )


def acceptances_of(spec: MigrationSpec) -> list[Acceptance]:
    """Return the references to outside that a spec explains."""
    explained = spec.assess.references if spec.assess else ()
    return [Acceptance(target=each.target, reason=each.reason) for each in explained]
