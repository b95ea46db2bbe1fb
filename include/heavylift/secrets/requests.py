"""What a move of secrets is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from heavylift.connections import Connection
from heavylift.errors import SpecError
from heavylift.evidence.records import RunKey
from heavylift.spec.model import MigrationSpec
from heavylift.spec.sections_secrets import Secrets

SECRETS_PHASE = "secrets"
"""Under which the shell's runs lie; those of the DAG are of the phase provision."""

PLATFORMS: Mapping[str, str] = {
    "aws": "aws",
    "google_cloud_platform": "gcp",
    "gcpbigquery": "gcp",
    "azure": "azure",
    "azure_key_vault": "azure",
    "kubernetes": "kubernetes",
}
"""Type of a connection → platform."""


@dataclass(frozen=True)
class SecretsRequest:
    """One move.

    :param wanted: the spec's section, or what a command's options say in its place.
    :param dry_run: nothing is written on the target.
    """

    run: RunKey
    source: Connection = field(repr=False)
    target: Connection = field(repr=False)
    wanted: Secrets = field(default_factory=Secrets)
    dry_run: bool = False

    @property
    def platforms(self) -> tuple[str, str]:
        """The platforms of source and target.

        :raises SpecError: a connection is of a type that has no store of secrets.
        """
        return platform_of(self.source), platform_of(self.target)


def platform_of(connection: Connection) -> str:
    """Return the platform that a connection belongs to.

    :raises SpecError: it belongs to none that has a store of secrets.
    """
    found = PLATFORMS.get(connection.conn_type)
    if found is None:
        raise SpecError(
            f"moving secrets over connection {connection.conn_id!r}",
            got=f"the type {connection.conn_type!r}",
            expected=f"one of {', '.join(sorted(PLATFORMS))}",
            state="nothing was touched",
            remedy="name a connection of a platform that has a store of secrets",
            code="8814",
        )
    return found


def connections_of(spec: MigrationSpec) -> tuple[str, str]:
    """Return the ids of the connections of a spec's secrets, source and target."""
    wanted = section_of(spec)
    return (
        wanted.source_connection or spec.source.connection,
        wanted.target_connection or spec.target.connection,
    )


def section_of(spec: MigrationSpec) -> Secrets:
    """Return a spec's section.

    :raises SpecError: it has none.
    """
    if spec.secrets is None:
        raise SpecError(
            f"moving the secrets of {spec.migration}",
            got="a spec without a section secrets",
            expected="a section secrets, {} at least: then all of them move",
            state="nothing was touched",
            remedy="say in the section secrets which secrets move",
            code="8815",
        )
    return spec.secrets
