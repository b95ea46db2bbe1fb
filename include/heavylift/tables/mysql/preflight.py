"""What stands in the way of moving a MySQL database, asked of both servers before anything is touched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.table_records import PreflightRecord
from heavylift.tables.model import demand_some
from heavylift.tables.mysql import preflight_tables as of_tables
from heavylift.tables.mysql.catalog import read_source
from heavylift.tables.mysql.chosen import database_of
from heavylift.tables.mysql.connect import Policy, ask, is_mariadb, one, where
from heavylift.tables.mysql.faults import told_as as told_as_mysql
from heavylift.tables.mysql.preflight_tables import Checked
from heavylift.tables.postgres.preflight_common import blocker, remark, warning

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.tables.model import TableName
    from heavylift.tables.mysql.connect import Session as MySession
    from heavylift.tables.mysql.target import Target
    from heavylift.tables.requests import TablesRequest

Rule = Callable[[Checked], Iterator[Finding]]

ENGINE = "binlog"
_REASON = (
    "Rows are copied under one snapshot, and changes are read from the binary log's row events; the position"
    " is kept in the target, in one transaction with the rows."
)
_WANTED = {
    "log_bin": ({"ON", "1"}, "start the server with log_bin"),
    "binlog_format": ({"ROW"}, "SET GLOBAL binlog_format = 'ROW', and let all sessions connect anew"),
    "binlog_row_image": ({"FULL"}, "SET GLOBAL binlog_row_image = 'FULL', and let all sessions connect anew"),
    "binlog_row_metadata": (
        {"FULL"},
        "SET GLOBAL binlog_row_metadata = 'FULL' (MySQL 8.0.1, MariaDB 10.5 and newer)",
    ),
    "binlog_row_value_options": ({""}, "SET GLOBAL binlog_row_value_options = ''"),
    "binlog_transaction_compression": ({"OFF", "0"}, "SET GLOBAL binlog_transaction_compression = OFF"),
    "log_bin_compress": ({"OFF", "0"}, "SET GLOBAL log_bin_compress = OFF"),
}
"""Settings that the log must have been written with; those that a version lacks are as wanted."""
_MUST_BE = {"log_bin", "binlog_row_metadata"}
_LEAST_DAYS = 1.0


@dataclass(frozen=True)
class TargetChecks:
    """What the preflight asks of one product of target.

    :param where: names the target of a connection.
    :param version: tells the target's version.
    :param source: what is asked of the source; by default :data:`SOURCE_RULES`.
    """

    where: Callable[[Connection], str]
    version: Callable[[Target], str]
    rules: tuple[Rule, ...]
    source: tuple[Rule, ...] | None = None


def preflight(
    request: TablesRequest,
    checks: TargetChecks,
    policy: Policy,
    *,
    source: MySession,
    target: Target,
    only: Collection[TableName] | None = None,
) -> PreflightRecord:
    """Ask both servers for everything that could stand in the way, and change nothing.

    :param checks: those of the target's product; its errors are the caller's to translate.
    :param only: the stream's tables, where they are known.
    :raises SpecError: the patterns choose no table.
    """
    options, connection = request.options, request.source.connection
    what = f"the preflight of database {request.database!r}"
    with told_as_mysql(what, "nothing was touched"):
        found = read_source(source, policy, options.tables, options.exclude, database=database_of(request))
        apart = target.left_out(request.stream)
        tables = tuple(
            table for table in found if table.name not in apart and (only is None or table.name in only)
        )
        demand_some((t.name for t in tables), options.tables, where(connection))
        checked = Checked(request, source, target, tables, policy, frozenset(target.tables(request.stream)))
        rules = (*(SOURCE_RULES if checks.source is None else checks.source), *checks.rules)
        findings = tuple(finding for rule in rules for finding in rule(checked))
        return PreflightRecord(
            run=request.run,
            database=request.database,
            direction=request.direction.value,
            source=where(connection),
            target=checks.where(request.target.connection),
            source_version=str(source.get_server_info()),
            target_version=checks.version(target),
            engine=ENGINE,
            engine_reason=_REASON,
            tables=len(tables),
            row_estimate=sum(max(0, t.table.row_estimate) for t in tables),
            size_bytes=sum(t.table.size_bytes for t in tables),
            findings=findings,
            passed=not any(finding.severity is Severity.BLOCKER for finding in findings),
        )


def check_log(checked: Checked) -> Iterator[Finding]:
    """Look at how the server writes its log."""
    names = ", ".join(f"'{name}'" for name in _WANTED)
    have = {
        str(name).lower(): str(value).upper()
        for name, value in ask(checked.source, f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
    }
    for name, (wanted, remedy) in _WANTED.items():
        found = have.get(name)
        if found is None and name not in _MUST_BE:
            continue
        if found not in wanted:
            yield blocker(
                "binary-log", name, f"it is {found or 'unknown to this version'}",
                remedy,
            )  # fmt: skip
    yield from _check_filters(checked)
    yield from _check_keeping(checked)


def _check_filters(checked: Checked) -> Iterator[Finding]:
    import pymysql

    try:
        rows = ask(checked.source, "SHOW MASTER STATUS")
    except pymysql.ProgrammingError:
        rows = ask(checked.source, "SHOW BINARY LOG STATUS")
    if rows and (rows[0][2] or rows[0][3]):
        yield blocker(
            "binary-log-filter", "binlog_do_db, binlog_ignore_db",
            "the server leaves databases out of its log", "start the server without these settings",
        )  # fmt: skip


def _check_keeping(checked: Checked) -> Iterator[Finding]:
    names = ("binlog_expire_logs_seconds", "expire_logs_days")
    found = {
        name: float(value)
        for name, value in ask(
            checked.source,
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('binlog_expire_logs_seconds', 'expire_logs_days')",
        )
    }
    days = max(found.get(names[0], 0.0) / 86400, found.get(names[1], 0.0))
    if 0 < days < _LEAST_DAYS * 3:
        yield warning(
            "log-expiry", "binlog_expire_logs_seconds",
            f"the log is kept for {days:g} days: a snapshot or a pause longer than that needs a new snapshot",
            "SET GLOBAL binlog_expire_logs_seconds = 1209600",
        )  # fmt: skip


def check_rights(checked: Checked) -> Iterator[Finding]:
    """Look at what the account may do."""
    grants = " ".join(str(row[0]).upper() for row in ask(checked.source, "SHOW GRANTS"))
    everything = "ALL PRIVILEGES ON *.*" in grants
    wanted = {
        "replication": (
            ("REPLICATION SLAVE", "REPLICATION REPLICA"),
            "GRANT REPLICATION SLAVE ON *.* TO …",
        ),
        "position": (
            ("REPLICATION CLIENT", "BINLOG MONITOR", "SUPER"),
            "GRANT REPLICATION CLIENT ON *.* TO … (MariaDB: BINLOG MONITOR)",
        ),
    }
    for name, (words, remedy) in wanted.items():
        if not everything and not any(word in grants for word in words):
            yield blocker("account-right", name, f"the account has none of {', '.join(words)}", remedy)
    if not everything and "RELOAD" not in grants:
        yield remark(
            "account-right", "snapshot",
            "it may not take a global read lock: the chosen tables are locked for the moment instead,"
            " which needs LOCK TABLES on them",
            "GRANT RELOAD ON *.* TO …",
        )  # fmt: skip


def check_server(checked: Checked) -> Iterator[Finding]:
    """Look at the source's version, and whether it is a replica that may not write its own log."""
    number = int(str(one(checked.source, "SELECT @@server_id")))
    if number == 0:
        yield blocker("server-id", "source", "its server_id is 0", "set server_id, then restart the server")
    if not is_mariadb(checked.source):
        yield warning(
            "mysql-tested", "source",
            "this engine was tested against MariaDB 10.11 only; MySQL's own JSON is decoded by a library",
            "prove the move with heavylift tables verify, as always",
        )  # fmt: skip


SOURCE_RULES: tuple[Rule, ...] = (
    check_server,
    check_log,
    check_rights,
    of_tables.check_kinds,
    of_tables.check_engines,
    of_tables.check_keys,
)
"""The rules about the source, whatever the target is, in the order of their findings."""
