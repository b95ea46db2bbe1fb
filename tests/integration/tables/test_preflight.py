"""The preflight names what stands in the way, each with a remedy that works, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from heavylift.errors import SpecError
from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.table_records import PreflightRecord
from heavylift.tables.postgres import preflight_source
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.preflight import preflight
from heavylift.tables.postgres.schema_copy import finish_schema
from heavylift.tables.postgres.snapshot import snapshot_tables
from heavylift.tables.requests import TablesRequest
from tests.support.two_databases import TwoDatabases, run_sql


def look(request: TablesRequest) -> PreflightRecord:
    with (
        connect(request.source.connection, "test") as source,
        connect(request.target.connection, "test") as target,
    ):
        return preflight(request, source=source, target=target)


def found(record: PreflightRecord, rule: str) -> list[Finding]:
    return [finding for finding in record.findings if finding.rule == rule]


def blockers(record: PreflightRecord) -> set[tuple[str, str]]:
    return {(each.rule, each.subject) for each in record.findings if each.severity is Severity.BLOCKER}


def test_a_plain_database_passes_with_the_engine_and_its_reason(databases: TwoDatabases) -> None:
    databases.on_source("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); ANALYZE t")
    record = look(databases.request())
    assert record.passed
    assert (record.engine, record.tables, record.row_estimate) == ("changes", 1, 1)
    assert record.engine_reason.endswith(".")
    assert databases.on_target("SELECT to_regnamespace('heavylift')") == [(None,)]
    with pytest.raises(SpecError, match="no table that matches"):
        look(databases.request(tables=("nothing.*",)))


def test_each_remedy_for_a_missing_identity_mends_it(databases: TwoDatabases) -> None:
    databases.on_source(
        """
        CREATE TABLE bare (a int); CREATE TABLE "By Index" (a int NOT NULL UNIQUE, b int);
        CREATE TABLE late (a int PRIMARY KEY DEFERRABLE); CREATE TABLE none (a int PRIMARY KEY);
        ALTER TABLE none REPLICA IDENTITY NOTHING;
        CREATE TABLE parted (a int, PRIMARY KEY (a)) PARTITION BY RANGE (a);
        CREATE TABLE part PARTITION OF parted DEFAULT; ALTER TABLE part REPLICA IDENTITY NOTHING;
        """
    )
    record = look(databases.request())
    rule = "replica-identity"
    assert blockers(record) == {
        (rule, f"public.{name}") for name in ("bare", "By Index", "late", "none", "part")
    }
    for finding in found(record, rule):
        databases.on_source(finding.remedy.split(";")[0])
    again = look(databases.request())
    assert again.passed
    assert [each.subject for each in found(again, "no-key")] == ["public.bare, public.late"]


def test_what_is_no_table_of_the_log_is_told(databases: TwoDatabases) -> None:
    databases.on_source(
        """
        CREATE TABLE t (id int PRIMARY KEY, g int GENERATED ALWAYS AS (1) STORED);
        CREATE UNLOGGED TABLE u (id int PRIMARY KEY); CREATE MATERIALIZED VIEW m AS SELECT 1;
        CREATE SEQUENCE s; SELECT lo_create(0);
        CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f();
        CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER always AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION g();
        ALTER TABLE t ENABLE ALWAYS TRIGGER always;
        """
    )
    record = look(databases.request())
    assert record.passed
    expected = {
        "unlogged-tables", "materialized-views", "sequences", "large-objects", "event-triggers",
        "always-triggers", "generated-columns", "owners-and-privileges",
    }  # fmt: skip
    assert expected <= {finding.rule for finding in record.findings}
    assert all(finding.remedy for finding in record.findings if finding.severity is Severity.WARNING)


def test_prepared_transactions_are_named(small: TwoDatabases) -> None:
    small.on_source("CREATE TABLE t (id int PRIMARY KEY)")
    assert not found(look(small.request()), "prepared-transactions")
    # Together with the PREPARE the helper's own transaction would end in it.
    with connect(small.source, "test") as session:
        for statement in ("BEGIN", "INSERT INTO public.t VALUES (1)", "PREPARE TRANSACTION 'forgotten'"):
            session.execute(statement.encode())
    try:
        [finding] = found(look(small.request()), "prepared-transactions")
        assert finding.subject == "1 prepared transactions"
    finally:
        small.on_source("ROLLBACK PREPARED 'forgotten'")


def test_a_transaction_that_is_open_for_long_is_named(
    databases: TwoDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases.on_source("CREATE TABLE t (id int PRIMARY KEY)")
    monkeypatch.setattr(preflight_source, "_LONG", "0 s")
    with connect(databases.source, "test", autocommit=False) as writer:
        writer.execute("INSERT INTO public.t VALUES (1)")
        [finding] = found(look(databases.request()), "long-transactions")
        assert f"pid {writer.info.backend_pid} " in finding.subject
        writer.rollback()


def test_what_the_target_holds_is_told(databases: TwoDatabases) -> None:
    databases.on_source(
        "CREATE TABLE full_one (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY);"
        "CREATE TABLE fits (id int PRIMARY KEY); CREATE TABLE seen (id int PRIMARY KEY)"
    )
    databases.on_target(
        "CREATE TABLE full_one (id int PRIMARY KEY); INSERT INTO full_one VALUES (1);"
        "CREATE TABLE other (id bigint PRIMARY KEY); CREATE TABLE fits (id int PRIMARY KEY);"
        "CREATE VIEW seen AS SELECT 1"
    )
    record = look(databases.request())
    assert blockers(record) == {
        ("target-occupied", "public.full_one"),
        ("target-columns", "public.other"),
        ("target-occupied", "public.seen"),
    }
    assert [each.subject for each in found(record, "target-table")] == ["public.fits"]


def test_one_database_on_both_sides_is_refused(databases: TwoDatabases) -> None:
    databases.on_source("CREATE TABLE t (id int PRIMARY KEY)")
    request = databases.request()
    assert ("same-database", "target") in blockers(look(replace(request, target=request.source)))


@pytest.fixture
def limited(databases: TwoDatabases) -> Iterator[TwoDatabases]:
    """Return the databases as a role sees them that is nothing special on either side."""
    role = f"{databases.source.schema}_role"
    create = f"CREATE ROLE {role} LOGIN PASSWORD 'limited'"
    databases.on_source(create)
    databases.on_target(create)
    sides = (databases.source, databases.target)
    try:
        yield replace(
            databases,
            source=replace(sides[0], login=role, password="limited"),
            target=replace(sides[1], login=role, password="limited"),
        )
    finally:
        for side in sides:
            run_sql(side, f"REASSIGN OWNED BY {role} TO CURRENT_USER")
            run_sql(side, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_role_with_nothing_is_told_all_it_needs_and_then_it_works(
    databases: TwoDatabases, limited: TwoDatabases
) -> None:
    databases.on_source(
        "CREATE SCHEMA app; CREATE TABLE app.t (id serial PRIMARY KEY, v text UNIQUE);"
        "CREATE TABLE app.u (id int PRIMARY KEY REFERENCES app.t);"
        "INSERT INTO app.t (v) SELECT md5(i::text) FROM generate_series(1, 500) i;"
        "INSERT INTO app.u VALUES (1)"
    )
    role, database = limited.source.login, limited.source.schema
    record = look(limited.request())
    assert {rule for rule, _ in blockers(record)} == {
        "replication-right", "publication-right", "table-ownership", "select-right", "create-right"
    }  # fmt: skip
    assert found(record, "session-replication-role")
    # Exactly what docs/reference/tables.md lists.
    databases.on_source(
        f"ALTER ROLE {role} REPLICATION; GRANT CREATE ON DATABASE {database} TO {role};"
        f"CREATE ROLE {role}_owner; GRANT {role}_owner TO {role}; ALTER SCHEMA app OWNER TO {role}_owner;"
        f"ALTER TABLE app.t OWNER TO {role}_owner; ALTER TABLE app.u OWNER TO {role}_owner"
    )
    databases.on_target(f"GRANT CREATE ON DATABASE {database} TO {role}")
    try:
        assert look(limited.request()).passed
        snapshot = snapshot_tables(limited.request())
        assert snapshot.rows == 501
        databases.assert_equal("app.t")
        databases.assert_equal("app.u")
        # Without the right to keep triggers and foreign keys quiet, they wait for the drain.
        waiting = (
            "SELECT conname FROM pg_constraint WHERE contype = 'f' AND connamespace = 'app'::regnamespace"
        )
        assert databases.on_target(waiting) == []
        with connect(limited.source, "test") as source, connect(limited.target, "test") as target:
            finish_schema(limited.request(), source=source, target=target)
        assert databases.on_target(waiting) == [("u_id_fkey",)]
    finally:
        databases.on_source(f"REASSIGN OWNED BY {role}_owner TO CURRENT_USER; DROP ROLE {role}_owner")
