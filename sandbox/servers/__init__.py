"""The servers of the sandbox, by connection id, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from heavylift.errors import ConnectionConfigError
from sandbox.model import Server
from sandbox.servers import (
    airflow_db,
    azurite,
    envoy,
    fake_gcs,
    mariadb,
    mlflow,
    moto,
    postgres,
    registry,
    scoring,
    seaweed,
    tansu,
)

SERVERS: dict[str, Server] = {
    server.name: server
    for server in (
        seaweed.server("aws_source", "S3 of the source"),
        seaweed.server("aws_target", "S3 of the target"),
        fake_gcs.server("gcp_target"),
        azurite.server("azure_target"),
        moto.server("aws_control"),
        postgres.server("features_source", "Database of the source", postgres.FEATURES),
        postgres.server("features_target", "Database of the target", postgres.FEATURES),
        mariadb.server("mysql_source", "MySQL database of the source"),
        mariadb.server("mysql_target", "MySQL database of the target", number=2),
        mlflow.database("mlflow_source", "Experiments' database of the source"),
        mlflow.database("mlflow_target", "Experiments' database of the target"),
        mlflow.server("mlflow_source", "Experiments of the source", "aws_source"),
        mlflow.server("mlflow_target", "Experiments of the target", "aws_target"),
        tansu.server("kafka_source", "Streams of the source"),
        tansu.server("kafka_target", "Streams of the target"),
        scoring.server("scoring_source", "Scoring of the source"),
        scoring.server("scoring_target", "Scoring of the target"),
        envoy.server("traffic"),
        registry.server("images_source", "Images of the source"),
        registry.server("images_target", "Images of the target", locked=True),
    )
}

AIRFLOW_DB = airflow_db.server()


def select(names: Sequence[str] | None) -> list[Server]:
    """Return the servers asked for and what they need, or all that need not be asked for.

    Their order is the registry's, in which whatever is needed comes first.

    :raises ConnectionConfigError: a name is not one of the sandbox's servers.
    """
    if names is None:
        return [server for server in SERVERS.values() if not server.on_request]
    unknown = sorted(set(names) - set(SERVERS))
    if unknown:
        raise ConnectionConfigError(
            "choosing sandbox servers",
            got=", ".join(unknown),
            expected=f"some of {', '.join(SERVERS)}",
            state="nothing was started",
            remedy="correct the names",
            code="9005",
        )
    wanted = _with_needs(names)
    return [server for server in SERVERS.values() if server.name in wanted]


def _with_needs(names: Sequence[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting += [need for need in SERVERS[name].needs if need not in found]
    return found
