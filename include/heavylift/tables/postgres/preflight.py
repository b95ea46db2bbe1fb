"""What stands in the way of moving a database, asked of both servers before anything is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.evidence.records import Severity
from heavylift.evidence.table_records import PreflightRecord
from heavylift.tables.model import demand_some
from heavylift.tables.postgres import preflight_source as of_source
from heavylift.tables.postgres import preflight_tables as of_tables
from heavylift.tables.postgres import preflight_target as of_target
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import where
from heavylift.tables.postgres.engines import choose_engine
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.preflight_common import Checked, setting
from heavylift.tables.postgres.state import has_state, read_tables

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

RULES = (
    of_source.check_server,
    of_source.check_rights,
    of_source.check_reading,
    of_source.check_waiting,
    of_source.check_log,
    of_tables.check_identity,
    of_tables.check_partitions,
    of_tables.check_columns,
    of_tables.check_others,
    of_target.check_target_server,
    of_target.check_target_rights,
    of_target.check_extensions,
    of_target.check_locale,
    of_target.check_occupied,
)
"""Every rule, in the order of its findings."""


def preflight(request: TablesRequest, *, source: Session, target: Session) -> PreflightRecord:
    """Ask both servers for everything that could stand in the way, and change nothing.

    Blockers stop the snapshot; each has a remedy, mostly a statement. A second run of a stream that is
    known looks past the tables that it has made itself.

    :param source: a session in autocommit mode.
    :param target: another.
    :raises SpecError: the patterns choose no table.
    """
    options = request.options
    with told_as(f"the preflight of database {request.database!r}", "nothing was touched"):
        tables = read_catalog(source, options.tables, options.exclude)
        demand_some((t.name for t in tables), options.tables, where(request.source.connection))
        ours = frozenset(read_tables(target, request.stream)) if has_state(target) else frozenset()
        checked = Checked(request, source, target, tables, ours)
        findings = tuple(finding for rule in RULES for finding in rule(checked))
        choice = choose_engine(
            options.method,
            source_version=source.info.server_version,
            target_version=target.info.server_version,
        )
        row_estimate, size_bytes = of_tables.totals(tables)
        return PreflightRecord(
            run=request.run,
            database=request.database,
            direction=request.direction.value,
            source=where(request.source.connection),
            target=where(request.target.connection),
            source_version=setting(source, "server_version"),
            target_version=setting(target, "server_version"),
            engine=choice.engine,
            engine_reason=choice.reason,
            tables=len(tables),
            row_estimate=row_estimate,
            size_bytes=size_bytes,
            findings=findings,
            passed=not any(finding.severity is Severity.BLOCKER for finding in findings),
        )
