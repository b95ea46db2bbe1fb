"""The scans that a spec asks for: sources of its datasets and of its PostgreSQL databases."""

from __future__ import annotations

from collections.abc import Callable

from heavylift.compliance.requests import DEFAULT_BOUND, ScanRequest
from heavylift.connections import Connection
from heavylift.platforms.places import Place
from heavylift.spec.model import MigrationSpec
from heavylift.spec.resolve import resolve_datasets
from heavylift.spec.sections_data import DatabaseEngine


def scan_requests(
    spec: MigrationSpec,
    look_up: Callable[[str], Connection],
    evidence_url: str | None,
    evidence_connection: Connection | None,
) -> list[ScanRequest]:
    """Return one scan for each dataset and each PostgreSQL database; the source is what is read.

    Nothing else can be scanned: what streams, registries, models and other databases hold is stated.
    """
    rules = spec.compliance
    bound = rules.scan_bound if rules else DEFAULT_BOUND
    opinion = bool(rules and rules.second_opinion)
    found = []
    for dataset in resolve_datasets(spec):
        source = dataset.source
        connection = None if source.location.scheme == "file" else look_up(source.connection)
        found.append(
            ScanRequest(
                migration=spec.migration,
                subject=dataset.name,
                place=Place(source.location, connection),
                include=dataset.include,
                exclude=dataset.exclude,
                bound=bound,
                second_opinion=opinion,
                evidence_url=evidence_url,
                evidence_connection=evidence_connection,
            )
        )
    found += [
        ScanRequest(
            migration=spec.migration,
            subject=database.name,
            database=look_up(database.source.connection),
            tables=database.tables,
            excluded_tables=database.exclude,
            bound=bound,
            second_opinion=opinion,
            evidence_url=evidence_url,
            evidence_connection=evidence_connection,
        )
        for database in spec.databases
        if database.source.engine is DatabaseEngine.POSTGRESQL
    ]
    return found
