"""A store in MySQL or MariaDB, as many teams have it: moved into a PostgreSQL store, again and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.aio import run
from heavylift.registry.requests import RegistryPlace
from heavylift.registry.settling import Judgement
from heavylift.registry.uris import uri_map
from heavylift.registry.verifying import verification
from heavylift.registry.ways import way_of
from heavylift.registry.work import Work
from sandbox.stack import Stack
from tests.support import history
from tests.support.mysql_store import MysqlStore, mysql_store
from tests.support.registry_seen import Eyes
from tests.support.registry_team import Team
from tests.support.stores import TwoStores, connection, two_stores
from tests.support.tracking_server import over_store

STAGED = "SELECT to_regnamespace('heavylift_staging') IS NULL"


@pytest.fixture
def store(store_sandbox: Stack, stores: TwoStores) -> Iterator[MysqlStore]:
    """Return a store in MariaDB that holds what the source holds."""
    with empty_mysql(store_sandbox) as made:
        made.fill(stores.source)
        yield made


@contextmanager
def empty_mysql(sandbox: Stack) -> Iterator[MysqlStore]:
    """Make a store in MariaDB without a history."""
    sandbox.ensure("mysql_source")
    with mysql_store(connection(sandbox, "mysql_source")) as made:
        yield made


def move(stores: TwoStores, store: MysqlStore, act: str = "copy", **options: Any) -> Any:
    request = store.beside(stores).request(**options)
    return way_of(request).move(request, Work(), act)  # type: ignore[arg-type]


def test_a_database_arrives_whole(stores: TwoStores, store: MysqlStore) -> None:
    request = store.beside(stores).request()
    looked = way_of(request).preflight(request)
    assert (looked.path, looked.passed) == ("store", True), looked.findings
    assert looked.source == (
        f"mlflow_mysql ({store.connection.host}:{store.connection.port}/{store.connection.schema})"
    )
    record = move(stores, store)
    stores.assert_equal()
    assert record.leftovers == ()
    assert stores.on_target(STAGED) == [(True,)]
    (made,) = stores.on_target(
        "INSERT INTO experiments (name, lifecycle_stage, workspace) VALUES ('next', 'active', 'default')"
        " RETURNING experiment_id"
    )
    assert made[0] == max(row[0] for row in stores.on_source("SELECT experiment_id FROM experiments")) + 1


def test_what_a_server_over_it_writes_is_proved_through_both_servers_and_both_databases(
    store_sandbox: Stack, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        stores = stack.enter_context(two_stores(store_sandbox.env, tmp_path.as_uri(), sizes=None))
        store = stack.enter_context(empty_mysql(store_sandbox))
        there, files = stores.target, tmp_path / "files"
        address = f"postgresql://{there.login}:{there.password}@{there.host}:{there.port}/{there.schema}"
        source = stack.enter_context(over_store(tmp_path / "over-mysql", store.url, files))
        target = stack.enter_context(over_store(tmp_path / "over-pg", address, files))
        history.fill(source)
        team = Team(source, 7)
        request = replace(
            stores.request(uris=uri_map([]), deletes="propagate", artifacts=False),
            source=RegistryPlace(source.connection, store.connection),
            target=RegistryPlace(target.connection, stores.target),
        )
        way = way_of(request)
        assert way.prove is not None
        for act in ("copy", "sync"):
            team.work(40)
            way.move(request, Work(), act)  # type: ignore[arg-type]
            seen = run(way.compare(request, Work(), Judgement()))
            proof = verification(request, seen, way.prove(request), 0.0)
            assert proof.passed, (proof.statement, proof.differences, team.done)
            assert Eyes(target, own=True).see() == Eyes(source, own=True).see()
            assert way.move(request, Work(), "sync").written == 0
