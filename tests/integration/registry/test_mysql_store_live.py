"""A store in MySQL that a team goes on writing to, through a real server: moved, and proved, meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from heavylift.aio import run
from heavylift.registry.api import copy_registry, sync_registry, verify_registry
from heavylift.registry.requests import RegistryPlace
from heavylift.registry.uris import uri_map
from sandbox.stack import Stack
from tests.support import history
from tests.support.mysql_store import mysql_of
from tests.support.registry_seen import Eyes
from tests.support.registry_team import Team
from tests.support.stores import two_stores
from tests.support.tracking_server import Server, over_store


@contextmanager
def busy(server: Server, seed: int) -> Iterator[Team]:
    """Let a team work on the server for the length of the block."""
    team, stop = Team(server, seed), threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                team.work(1)
            except AssertionError as refused:
                # The team knows servers over SQLite, which take longer ones.
                if "Data too long" not in str(refused):
                    raise

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield team
    finally:
        stop.set()
        worker.join()


@pytest.mark.long
def test_a_store_in_use_is_moved_and_proved(store_sandbox: Stack, tmp_path: Path) -> None:
    with ExitStack() as stack:
        stores = stack.enter_context(two_stores(store_sandbox.env, tmp_path.as_uri(), sizes=None))
        mysql = stack.enter_context(mysql_of(store_sandbox))
        there, files = stores.target, tmp_path / "files"
        address = f"postgresql://{there.login}:{there.password}@{there.host}:{there.port}/{there.schema}"
        source = stack.enter_context(over_store(tmp_path / "over-mysql", mysql.url, files))
        target = stack.enter_context(over_store(tmp_path / "over-pg", address, files))
        history.fill(source)
        request = replace(
            stores.request(uris=uri_map([]), deletes="propagate", artifacts=False, live=True),
            source=RegistryPlace(source.connection, mysql.connection),
            target=RegistryPlace(target.connection, there),
        )
        with busy(source, 11) as team:
            copied, _ = run(copy_registry(request))
            assert copied.rows
            proof, _ = run(verify_registry(request))
            assert team.done
        assert proof.passed, (proof.statement, proof.differences, team.done)
        assert all(each.equal for each in proof.tables)
        synced, _ = run(sync_registry(request))
        assert synced.source_moment > copied.source_moment
        proof, _ = run(verify_registry(replace(request, options=replace(request.options, live=False))))
        assert proof.passed, (proof.statement, proof.differences, team.done)
        assert Eyes(target, own=True).see() == Eyes(source, own=True).see()
