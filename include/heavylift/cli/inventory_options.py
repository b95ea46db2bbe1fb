"""The options that ``inventory`` and ``graph`` share, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.stores import evidence_connection
from heavylift.connections import connection_from_env
from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.inventory.requests import InventoryOptions
    from heavylift.spec.model import MigrationSpec
    from heavylift.spec.vocabulary import System

MIGRATION = "shell"
"""The migration under which evidence lies, where no spec and no ``--migration`` names one."""

SpecFile = Annotated[
    Path | None, typer.Argument(metavar="[SPEC]", help="spec file: its source is what is read")
]
PlatformName = Annotated[
    str | None,
    typer.Option(
        "--platform",
        help="without SPEC: aws (default), gcp, azure, kubernetes, mlflow, postgresql, mysql, kafka, files,"
        " objects",
    ),
]
Conn = Annotated[str | None, typer.Option("--conn", metavar="ID", help="without SPEC: its connection")]
Migration = Annotated[
    str | None, typer.Option(help=f"without SPEC: name under which evidence is kept; default: {MIGRATION}")
]


@dataclass(frozen=True)
class Asked:
    """Whose inventory is meant, and where its evidence lies."""

    migration: str
    platform: System
    connection: Connection
    evidence_url: str | None
    evidence_connection: Connection | None
    spec: MigrationSpec | None = None

    @property
    def of_spec(self) -> MigrationSpec:
        """The spec that was named.

        :raises SpecError: none was.
        """
        if self.spec is not None:
            return self.spec
        raise SpecError(
            "reading the command line",
            got="no spec",
            expected="SPEC",
            state="nothing was touched",
            remedy="name the migration's spec",
            code="7644",
        )


def asked(
    spec: Path | None,
    platform: str | None,
    conn: str | None,
    migration: str | None,
    evidence: str | None,
    evidence_conn: str | None,
) -> Asked:
    """Return what the options mean.

    :raises SpecError: neither a spec nor a platform and its connection, or both.
    """
    if (spec is None) == (conn is None):
        raise SpecError(
            "reading the command line",
            got="both a spec and --conn" if spec else "neither a spec nor --conn",
            expected="SPEC, or --platform and --conn",
            state="nothing was touched",
            remedy="name one of them",
            code="7640",
        )
    if spec is not None:
        return asked_by_spec(spec, evidence, evidence_conn)
    return Asked(
        migration or MIGRATION,
        system_of(platform),
        connection_from_env(conn or ""),
        evidence,
        evidence_connection(evidence_conn),
    )


def system_of(platform: str | None) -> System:
    """Return what ``--platform`` means.

    :raises SpecError: nothing that is known.
    """
    from heavylift.spec.vocabulary import System

    try:
        return System(platform or "aws")
    except ValueError:
        raise SpecError(
            "reading --platform",
            got=repr(platform),
            expected=", ".join(each.value for each in System),
            state="nothing was touched",
            remedy="correct --platform",
            code="7641",
        ) from None


def asked_beside(whose: Asked) -> list[tuple[Asked, InventoryOptions]]:
    """Return what a spec names beside its source, and how it is read."""
    from heavylift.inventory.requests import further, options_further

    spec = whose.spec
    return [
        (
            replace(whose, platform=also.system, connection=connection_from_env(also.connection)),
            options_further(spec, also),
        )
        for also in (further(spec) if spec else ())
        if spec
    ]


def asked_by_spec(path: Path, evidence: str | None, evidence_conn: str | None) -> Asked:
    """Return what a spec means: its source, as its section ``assess`` says."""
    from heavylift.inventory.requests import inventory_connection
    from heavylift.spec.load import load_spec
    from heavylift.spec.vocabulary import System

    spec = load_spec(path)
    # A store that the command line names needs no connection of the spec's.
    stored = evidence_conn or (None if evidence else spec.evidence.connection)
    return Asked(
        spec.migration,
        System(spec.source.platform.value),
        connection_from_env(inventory_connection(spec)),
        evidence or spec.evidence.url,
        evidence_connection(stored),
        spec,
    )
