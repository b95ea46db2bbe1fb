"""What an inventory is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from heavylift.evidence.records import RunKey
from heavylift.spec.vocabulary import Platform

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.spec.model import MigrationSpec

PHASE = "assess"
"""The phase whose runs inventories belong to."""


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
    """

    regions: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    parallel: int = 16
    max_requests: float | None = 50


@dataclass(frozen=True)
class InventoryRequest:
    """One platform's inventory within one run.

    :param run: where its evidence lies; a run that was interrupted goes on.
    :param evidence_url: the evidence store's URL; None leaves it to the connection.
    """

    run: RunKey
    platform: Platform | System
    connection: Connection
    evidence_url: str | None
    evidence_connection: Connection | None
    options: InventoryOptions = field(default_factory=InventoryOptions)


def inventory_request(
    spec: MigrationSpec,
    run: RunKey,
    connections: Callable[[str], Connection],
    options: InventoryOptions | None = None,
) -> InventoryRequest:
    """Return the request that reads a spec's source.

    :param connections: looks a connection up by its id.
    """
    evidence = spec.evidence
    return InventoryRequest(
        run=run,
        platform=spec.source.platform,
        connection=connections(spec.source.connection),
        evidence_url=evidence.url,
        evidence_connection=connections(evidence.connection) if evidence.connection else None,
        options=options or InventoryOptions(),
    )
