"""Roles with exactly the rights that docs/reference/tables.md lists move a database, and bring it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from heavylift.errors import ConflictError
from heavylift.tables.engine import Work
from heavylift.tables.postgres.apply import prepare_session
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.moving import ChangesEngine
from tests.support.two_databases import TwoDatabases, run_sql

ENGINE = ChangesEngine()
SCHEMA = """
CREATE SCHEMA app;
CREATE TABLE app.parent (id int PRIMARY KEY, v text);
CREATE TABLE app.child (id serial PRIMARY KEY, p int NOT NULL REFERENCES app.parent, n int DEFAULT 0);
CREATE FUNCTION app.count() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.n := coalesce(NEW.n, 0) + 1; RETURN NEW; END';
CREATE TRIGGER counts BEFORE INSERT OR UPDATE ON app.child FOR EACH ROW EXECUTE FUNCTION app.count();
INSERT INTO app.parent SELECT i, 'v' FROM generate_series(1, 200) i;
INSERT INTO app.child (p) SELECT i FROM generate_series(1, 200) i;
"""
# A parent goes and comes again with its children, and children come before the parents in the batch's order.
CHANGES = """
UPDATE app.child SET n = 10 WHERE id <= 20;
DELETE FROM app.child WHERE p = 50; DELETE FROM app.parent WHERE id = 50;
INSERT INTO app.parent VALUES ({0}, 'new'), (50, 'again');
INSERT INTO app.child (p) VALUES ({0}), (50);
"""
GUARDS = (
    "SELECT (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'app'::regnamespace),"
    " (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal)"
)


@pytest.fixture
def limited(databases: TwoDatabases) -> Iterator[TwoDatabases]:
    """The databases as such roles see them, without a right to keep triggers quiet."""
    role, database = f"{databases.source.schema}_role", databases.source.schema
    databases.on_source(SCHEMA)
    for side in (databases.source, databases.target):
        run_sql(
            side,
            f"CREATE ROLE {role} LOGIN REPLICATION PASSWORD 'limited';"
            f"GRANT CREATE ON DATABASE {database} TO {role}",
        )
    owner = f"{role}_owner"
    databases.on_source(
        f"CREATE ROLE {owner}; GRANT {owner} TO {role}; ALTER SCHEMA app OWNER TO {owner};"
        f"ALTER TABLE app.parent OWNER TO {owner}; ALTER TABLE app.child OWNER TO {owner}"
    )
    try:
        yield replace(
            databases,
            source=replace(databases.source, login=role, password="limited"),
            target=replace(databases.target, login=role, password="limited"),
        )
    finally:
        for side in (databases.source, databases.target):
            # Also in the other databases that a role may have been given rights in.
            run_sql(side, f"REASSIGN OWNED BY {role} TO CURRENT_USER")
            run_sql(side, f"DROP OWNED BY {role}; DROP ROLE {role}")
        databases.on_source(f"REASSIGN OWNED BY {owner} TO CURRENT_USER")
        databases.on_source(f"DROP OWNED BY {owner}; DROP ROLE {owner}")


def assert_equal(databases: TwoDatabases) -> None:
    databases.assert_equal("app.parent")
    databases.assert_equal("app.child")


def rights_of(databases: TwoDatabases) -> tuple[bool, bool]:
    with closing(connect(databases.target, "test")) as session:
        return prepare_session(session, "looked at")


def test_the_listed_rights_are_enough_for_all_of_it(databases: TwoDatabases, limited: TwoDatabases) -> None:
    for side in (databases.source, databases.target):
        run_sql(side, f"GRANT SET ON PARAMETER session_replication_role TO {limited.source.login}")
    assert rights_of(limited) == (True, False)
    request = limited.request()
    assert ENGINE.preflight(request, Work()).passed
    ENGINE.snapshot(request, Work())
    databases.on_source(CHANGES.format(1000))
    assert ENGINE.sync(request, Work()).changes > 0
    assert ENGINE.compare(request, Work(), frozen=False).difference_count == 0
    databases.on_source(CHANGES.format(1001))
    assert ENGINE.drain(request, Work(), within_seconds=60).reached
    assert ENGINE.compare(request, Work(), frozen=True).difference_count == 0
    assert databases.on_target(GUARDS) == databases.on_source(GUARDS) == [(1, 1)]
    ENGINE.prepare_reverse(request, Work())
    back = request.reversed()
    # Without a replication origin our own transactions are known by the table that they write first.
    for number in (2000, 2001):
        databases.on_target(CHANGES.format(number))
        assert ENGINE.sync(back, Work()).changes > 0
        assert_equal(databases)
        forth = ENGINE.sync(request, Work())
        assert (forth.changes, forth.transactions_skipped > 0) == (0, True)
        assert ENGINE.sync(back, Work()).changes == 0
    assert ENGINE.drain(back, Work(), within_seconds=60).reached
    assert ENGINE.compare(back, Work(), frozen=True).difference_count == 0
    for each in (request, back):
        assert ENGINE.end(each).state == "ended"


@pytest.mark.long
def test_without_the_right_to_keep_them_quiet_guards_wait_for_the_drain(
    databases: TwoDatabases, limited: TwoDatabases
) -> None:
    assert rights_of(limited) == (False, False)
    request = limited.request()
    ENGINE.snapshot(request, Work())
    assert databases.on_target(GUARDS) == [(0, 0)]
    databases.on_source(CHANGES.format(1000))
    assert ENGINE.sync(request, Work()).changes > 0
    assert_equal(databases)
    databases.on_source(CHANGES.format(1001))
    assert ENGINE.drain(request, Work(), within_seconds=60).reached
    assert databases.on_target(GUARDS) == [(1, 1)]
    assert_equal(databases)
    assert ENGINE.drain(request, Work(), within_seconds=60).reached
    # From here on both sides have triggers, which would count once more what was counted already.
    ENGINE.prepare_reverse(request, Work())
    databases.on_target("UPDATE app.child SET n = 5 WHERE id = 3")
    back = request.reversed()
    with pytest.raises(ConflictError, match=r"triggers that would fire on app.child.*HL-6154"):
        ENGINE.sync(back, Work())
    databases.on_source("ALTER TABLE app.child DISABLE TRIGGER USER")
    assert ENGINE.sync(back, Work()).updates == 1
    assert_equal(databases)
    assert ENGINE.sync(request, Work()).changes == 0
