"""What a PostgreSQL server holds: databases, schemas, tables, slots, and the servers that it is joined to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from heavylift.connections import Connection
from heavylift.evidence.inventory_records import Kind
from heavylift.inventory.native.fields import LINKS, link
from heavylift.inventory.native.plane import NativePlane, Question, known_hosts, paged
from heavylift.inventory.rows import Extra, Row
from heavylift.platforms.control import Account, Answer, Limits
from heavylift.platforms.postgresql.connect import connect
from heavylift.platforms.postgresql.faults import told_as

_STATE = "nothing was changed"
_OWN = "n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'"
_VISIBLE = "pg_catalog.has_database_privilege(d.oid, 'CONNECT')"

_SERVER = """
SELECT pg_catalog.version() AS version, s.wal_level, s.max_replication_slots,
       (SELECT pg_catalog.jsonb_object_agg(name, setting) FROM pg_catalog.pg_settings
         WHERE name IN ('wal_level', 'max_connections', 'shared_buffers', 'max_worker_processes',
                        'server_encoding', 'data_checksums', 'password_encryption')) AS settings
  FROM (SELECT pg_catalog.current_setting('wal_level') AS wal_level,
               pg_catalog.current_setting('max_replication_slots') AS max_replication_slots) s
"""
_DATABASES = f"""
SELECT d.datname AS name, pg_catalog.pg_get_userbyid(d.datdba) AS owner, d.datcollate AS collation,
       pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
       CASE WHEN {_VISIBLE} THEN pg_catalog.pg_database_size(d.oid) END AS bytes
  FROM pg_catalog.pg_database d WHERE NOT d.datistemplate ORDER BY d.datname
"""  # noqa: S608  (constants)
_SCHEMAS = f"""
SELECT n.nspname AS name, pg_catalog.pg_get_userbyid(n.nspowner) AS owner
  FROM pg_catalog.pg_namespace n WHERE {_OWN} ORDER BY 1
"""  # noqa: S608
_TABLES = f"""
SELECT n.nspname AS schema, c.relname AS name, c.relkind::text AS relkind,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner, NULLIF(c.reltuples::bigint, -1) AS rows_estimated,
       CASE WHEN c.relkind IN ('r', 'm', 'p', 't') THEN pg_catalog.pg_total_relation_size(c.oid) END AS bytes,
       c.relpersistence::text AS persistence, fs.srvname AS foreign_server, c.relispartition AS partition,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END AS definition
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_foreign_table ft ON ft.ftrelid = c.oid
  LEFT JOIN pg_catalog.pg_foreign_server fs ON fs.oid = ft.ftserver
 WHERE c.relkind IN ('r', 'p', 'm', 'f', 'v') AND {_OWN} ORDER BY 1, 2
"""  # noqa: S608
_EXTENSIONS = "SELECT extname AS name, extversion AS version FROM pg_catalog.pg_extension ORDER BY 1"
_SERVERS = """
SELECT s.srvname AS name, w.fdwname AS wrapper, pg_catalog.pg_get_userbyid(s.srvowner) AS owner,
       s.srvoptions AS options
  FROM pg_catalog.pg_foreign_server s JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw ORDER BY 1
"""
_SLOTS = """
SELECT slot_name AS name, plugin, slot_type AS kind, database, active, temporary
  FROM pg_catalog.pg_replication_slots ORDER BY 1
"""
_PUBLICATIONS = """
SELECT pubname AS name, pg_catalog.pg_get_userbyid(pubowner) AS owner, puballtables AS all_tables
  FROM pg_catalog.pg_publication ORDER BY 1
"""
_SUBSCRIPTIONS = """
SELECT s.subname AS name, pg_catalog.pg_get_userbyid(s.subowner) AS owner, s.subenabled AS enabled,
       s.subconninfo AS conninfo, s.subslotname AS slot, s.subpublications AS publications
  FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
 WHERE d.datname = pg_catalog.current_database() ORDER BY 1
"""
_FUNCTIONS = f"""
SELECT n.nspname AS schema, p.proname AS name, p.oid::text AS oid, l.lanname AS language,
       p.prosrc AS definition
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
 WHERE {_OWN} AND p.prosrc ~* '(dblink|https?://|s3://|gs://|host=)'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.objid = p.oid AND x.deptype = 'e') ORDER BY 1, 2
"""  # noqa: S608
_REACH = ("host", "hostaddr", "port", "dbname")

_HOME = "postgresql://{account}"
_IN = _HOME + "/{region}"
_GLOBAL: dict[str, Any] = {"is_global": True}

ROWS = (
    Row(
        "postgresql", "PostgreSQL::Server", Kind.DATABASE, "server", "rows", _HOME, "name",
        framework="version", aliases=("[hosts]",), **_GLOBAL,
    ),
    Row(
        "postgresql", "PostgreSQL::Database", Kind.DATABASE, "databases", "rows", _HOME + "/{name}", "name",
        owner="owner", size_bytes="bytes",
        extras=(Extra("extensions", {"database": "name"}, "rows", "extensions"),), **_GLOBAL,
    ),
    Row(
        "postgresql", "PostgreSQL::ReplicationSlot", Kind.STREAM, "slots", "rows",
        _HOME + "/slots/{name}", "name", **_GLOBAL,
    ),
    Row(
        "postgresql", "PostgreSQL::Schema", Kind.DATABASE, "schemas", "rows", _IN + "/{name}", "name",
        owner="owner",
    ),
    Row(
        "postgresql", "PostgreSQL::Table", Kind.DATASET, "tables", "rows", _IN + "/{schema}/{name}", "name",
        owner="owner", size_bytes="bytes", objects="rows_estimated", framework="relation",
    ),
    Row(
        "postgresql", "PostgreSQL::ForeignServer", Kind.NETWORK, "foreign_servers", "rows",
        _IN + "/servers/{name}", "name", owner="owner", framework="wrapper",
    ),
    Row(
        "postgresql", "PostgreSQL::Publication", Kind.STREAM, "publications", "rows",
        _IN + "/publications/{name}", "name", owner="owner",
    ),
    Row(
        "postgresql", "PostgreSQL::Subscription", Kind.STREAM, "subscriptions", "rows",
        _IN + "/subscriptions/{name}", "name", owner="owner",
    ),
    Row(
        "postgresql", "PostgreSQL::Function", Kind.FUNCTION, "functions", "rows",
        _IN + "/{schema}/functions/{name}-{oid}", "name", framework="language",
    ),
)  # fmt: skip
"""Every type of PostgreSQL that is read; of functions those whose text names something outside."""

_KINDS = {"r": "table", "p": "partitioned table", "m": "materialised view", "f": "foreign table", "v": "view"}


class PostgresPlane(NativePlane):
    """Reads one server; its regions are its databases."""

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None = None,
    ) -> None:
        self._connection = replace(connection, schema=connection.schema or "postgres")
        host, port = connection.host or "localhost", connection.port or 5432
        self._home = f"postgresql://{host}:{port}"
        self._hosts = known_hosts(connection, host, port)
        catalog = "SELECT on the system catalogs"
        monitor = "pg_read_all_stats (in pg_monitor), or CONNECT on the database"
        questions = {
            "server": Question(self._server, catalog),
            "databases": Question(self._databases, monitor),
            "slots": Question(self._slots, catalog),
            "extensions": Question(self._extensions, "CONNECT on the database"),
            "schemas": Question(self._schemas, "CONNECT on the database"),
            "tables": Question(self._tables, "CONNECT on the database"),
            "foreign_servers": Question(self._servers, "CONNECT on the database"),
            "publications": Question(self._publications, "CONNECT on the database"),
            "subscriptions": Question(self._subscriptions, "SELECT (subconninfo) ON pg_subscription"),
            "functions": Question(self._functions, "CONNECT on the database"),
        }
        super().__init__(limits, Account(f"{host}:{port}", "postgresql"), questions)

    def regions(self) -> list[str]:
        """Return all databases; of one that the login may not enter findings tell, for each type."""
        query = "SELECT datname FROM pg_catalog.pg_database WHERE NOT datistemplate AND datallowconn"
        return sorted(str(row["datname"]) for row in self._ask("databases", "", query))

    def _ask(self, operation: str, database: str, query: str) -> list[dict[str, Any]]:
        from psycopg.rows import dict_row

        chosen = replace(self._connection, schema=database or self._connection.schema)
        what = f"reading {operation} of {self._home}/{chosen.schema}"
        with (
            self.asking(what, operation),
            closing(connect(chosen, "inventory")) as session,
            told_as(what, _STATE),
        ):
            cursor = session.cursor(row_factory=dict_row)
            cursor.execute("SET default_transaction_read_only = on")
            return list(cursor.execute(query).fetchall())

    def _server(self, _region: str, _arguments: Answer) -> Iterator[Answer]:
        rows = self._ask("server", "", _SERVER)
        yield {"rows": [{**rows[0], "name": self._account.id, "hosts": self._hosts}]}

    def _databases(self, _region: str, _arguments: Answer) -> Iterator[Answer]:
        inside = [link("server", self._home, "belongs_to")]
        yield from paged([{**row, LINKS: inside} for row in self._ask("databases", "", _DATABASES)])

    def _slots(self, _region: str, _arguments: Answer) -> Iterator[Answer]:
        rows = self._ask("slots", "", _SLOTS)
        for row in rows:
            home = f"{self._home}/{row['database']}" if row["database"] else self._home
            row[LINKS] = [link("database", home, "belongs_to")]
        yield from paged(rows)

    def _extensions(self, _region: str, arguments: Answer) -> Iterator[Answer]:
        yield {"rows": self._ask("extensions", str(arguments["database"]), _EXTENSIONS)}

    def _schemas(self, region: str, _arguments: Answer) -> Iterator[Answer]:
        inside = [link("database", f"{self._home}/{region}", "belongs_to")]
        yield from paged([{**row, LINKS: inside} for row in self._ask("schemas", region, _SCHEMAS)])

    def _tables(self, region: str, _arguments: Answer) -> Iterator[Answer]:
        rows = self._ask("tables", region, _TABLES)
        for row in rows:
            row[LINKS] = [link("schema", f"{self._home}/{region}/{row['schema']}", "belongs_to")]
            row["relation"] = _KINDS[row.pop("relkind")]
            if row["foreign_server"]:
                target = f"{self._home}/{region}/servers/{row['foreign_server']}"
                row[LINKS].append(link("foreign_server", target, "reads"))
        yield from paged(rows)

    def _servers(self, region: str, _arguments: Answer) -> Iterator[Answer]:
        rows = self._ask("foreign_servers", region, _SERVERS)
        for row in rows:
            options = dict(str(each).partition("=")[::2] for each in row.pop("options") or ())
            row["options"] = {name: options[name] for name in _REACH if name in options}
            row[LINKS] = [*_belongs(self._home, region), *_reaches("options", options)]
        yield from paged(rows)

    def _publications(self, region: str, _arguments: Answer) -> Iterator[Answer]:
        rows = self._ask("publications", region, _PUBLICATIONS)
        yield from paged([{**row, LINKS: _belongs(self._home, region)} for row in rows])

    def _subscriptions(self, region: str, _arguments: Answer) -> Iterator[Answer]:
        from psycopg.conninfo import conninfo_to_dict

        rows = self._ask("subscriptions", region, _SUBSCRIPTIONS)
        for row in rows:
            reach = conninfo_to_dict(row.pop("conninfo"))
            row["publisher"] = {name: str(reach[name]) for name in _REACH if reach.get(name)}
            row[LINKS] = [*_belongs(self._home, region), *_reaches("publisher", row["publisher"])]
        yield from paged(rows)

    def _functions(self, region: str, _arguments: Answer) -> Iterator[Answer]:
        rows = self._ask("functions", region, _FUNCTIONS)
        for row in rows:
            row[LINKS] = [link("schema", f"{self._home}/{region}/{row['schema']}", "belongs_to")]
        yield from paged(rows)


def _belongs(home: str, database: str) -> list[dict[str, str]]:
    return [link("database", f"{home}/{database}", "belongs_to")]


def _reaches(field: str, options: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the server that options lead to."""
    host = str(options.get("host") or options.get("hostaddr") or "")
    if host and not host.startswith("/"):
        port = str(options.get("port") or 5432)
        yield link(f"{field}.host", f"host:{host.lower()}:{port}", "reads")
