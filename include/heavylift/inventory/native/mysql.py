"""What a MySQL or MariaDB server holds: schemas, tables, and the servers that it is joined to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from heavylift.connections import Connection
from heavylift.evidence.inventory_records import Kind
from heavylift.inventory.native.fields import LINKS, link
from heavylift.inventory.native.plane import NativePlane, Question, known_hosts, paged
from heavylift.inventory.rows import Row
from heavylift.platforms.control import Account, Answer, Limits
from heavylift.platforms.mysql.connect import connect, is_mariadb
from heavylift.platforms.mysql.faults import told_as

_SCHEMAS = (
    "SELECT s.schema_name AS name, s.default_character_set_name AS charset, s.default_collation_name"
    " AS collation,"
    " (SELECT SUM(t.data_length + t.index_length) FROM information_schema.tables t"
    "  WHERE t.table_schema = s.schema_name) AS bytes"
    " FROM information_schema.schemata s WHERE s.schema_name NOT IN"
    " ('information_schema', 'mysql', 'performance_schema', 'sys') ORDER BY 1"
)
_TABLES = (
    "SELECT table_schema AS `schema`, table_name AS name, table_type AS relation, engine,"
    " table_rows AS rows_estimated,"
    " data_length + index_length AS bytes, table_collation AS collation, create_time AS created"
    " FROM information_schema.tables WHERE table_schema NOT IN"
    " ('information_schema', 'mysql', 'performance_schema', 'sys') ORDER BY 1, 2"
)
_SERVERS = (
    "SELECT Server_name AS name, Host AS host, Db AS db, Port AS port, Wrapper AS wrapper FROM mysql.servers"
)
_SETTINGS = (
    "SELECT @@version AS version, @@version_comment AS product, @@log_bin AS binary_log,"
    " @@binlog_format AS format,"
    " @@server_id AS server_id"
)
_HOME = "mysql://{account}"

ROWS = (
    Row(
        "mysql", "MySQL::Server", Kind.DATABASE, "server", "rows", _HOME, "name", framework="version",
        is_global=True, aliases=("[hosts]",),
    ),
    Row(
        "mysql", "MySQL::Schema", Kind.DATABASE, "schemas", "rows", _HOME + "/{name}", "name",
        is_global=True, size_bytes="bytes",
    ),
    Row(
        "mysql", "MySQL::Table", Kind.DATASET, "tables", "rows", _HOME + "/{schema}/{name}", "name",
        is_global=True, size_bytes="bytes", objects="rows_estimated", framework="engine", created="created",
    ),
    Row(
        "mysql", "MySQL::ForeignServer", Kind.NETWORK, "foreign_servers", "rows", _HOME + "/servers/{name}",
        "name", is_global=True, framework="wrapper",
    ),
    Row(
        "mysql", "MySQL::Replica", Kind.STREAM, "replicas", "rows", _HOME + "/replication/{host}:{port}", "",
        is_global=True, status="running",
    ),
)  # fmt: skip
"""Every type of MySQL and MariaDB that is read."""


class MysqlPlane(NativePlane):
    """Reads one server as a whole."""

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None = None,
    ) -> None:
        self._connection = connection
        host, port = connection.host or "localhost", connection.port or 3306
        self._home = f"mysql://{host}:{port}"
        self._hosts = known_hosts(connection, host, port)
        seen = "SELECT on each schema (or SHOW DATABASES): what an account may not see is left out"
        questions = {
            "server": Question(self._server, "a login"),
            "schemas": Question(self._schemas, seen),
            "tables": Question(self._tables, seen),
            "foreign_servers": Question(self._servers, "SELECT ON mysql.servers"),
            "replicas": Question(self._replicas, "REPLICATION CLIENT (MariaDB: REPLICA MONITOR)"),
        }
        super().__init__(limits, Account(f"{host}:{port}", "mysql"), questions)

    def account(self) -> Account:
        """Return the server, once it has answered."""
        self._ask("server", "SELECT 1")
        return super().account()

    def _ask(self, operation: str, query: str, older: str = "") -> list[dict[str, Any]]:
        what = f"reading {operation} of {self._home}"
        with (
            closing(connect(self._connection)) as session,
            self.asking(what, operation),
            told_as(what, "nothing was changed"),
            session.cursor() as cursor,
        ):
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
            cursor.execute(older if older and is_mariadb(session) else query)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _server(self, _region: str, _arguments: Answer) -> Iterator[Answer]:
        yield {
            "rows": [{**self._ask("server", _SETTINGS)[0], "name": self._account.id, "hosts": self._hosts}]
        }

    def _schemas(self, _region: str, _arguments: Answer) -> Iterator[Answer]:
        inside = [link("server", self._home, "belongs_to")]
        yield from paged([{**row, LINKS: inside} for row in self._ask("schemas", _SCHEMAS)])

    def _tables(self, _region: str, _arguments: Answer) -> Iterator[Answer]:
        rows = self._ask("tables", _TABLES)
        for row in rows:
            row[LINKS] = [link("schema", f"{self._home}/{row['schema']}", "belongs_to")]
        yield from paged(rows)

    def _servers(self, _region: str, _arguments: Answer) -> Iterator[Answer]:
        rows = self._ask("foreign_servers", _SERVERS)
        for row in rows:
            target = f"host:{str(row['host']).lower()}:{row['port'] or 3306}"
            row[LINKS] = [link("server", self._home, "belongs_to"), link("host", target, "reads")]
        yield from paged(rows)

    def _replicas(self, _region: str, _arguments: Answer) -> Iterator[Answer]:
        found = []
        for row in self._ask("replicas", "SHOW REPLICA STATUS", "SHOW ALL SLAVES STATUS"):
            host = str(row.get("Source_Host") or row.get("Master_Host") or "")
            port = row.get("Source_Port") or row.get("Master_Port") or 3306
            running = row.get("Replica_IO_Running") or row.get("Slave_IO_Running")
            links = [
                link("server", self._home, "belongs_to"),
                link("host", f"host:{host.lower()}:{port}", "reads"),
            ]
            found.append({"host": host, "port": port, "running": running, LINKS: links})
        yield from paged(found)
