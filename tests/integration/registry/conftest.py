"""Fixtures of the registries' tests: two stores, and servers over them where they are asked for."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heavylift.cli import app
from heavylift.cli.run import run
from sandbox.examples.experiments import seed, seed_artifacts
from sandbox.stack import Stack
from tests.integration.conftest import new_state_dir
from tests.support import tracking_server
from tests.support.mysql_store import MysqlStore, mysql_of
from tests.support.stores import (
    MAPPED,
    OBJECTS,
    ROOTS,
    SERVERS,
    Shell,
    TwoStores,
    connection,
    empty_store,
    make_blank,
    two_stores,
)
from tests.support.tracking_server import Server
from tests.support.trial_world import TrialWorld, trial_world
from tests.support.two_databases import run_sql


@pytest.fixture(scope="session")
def store_sandbox() -> Iterator[Stack]:
    """Return a sandbox in which only the two stores' databases run."""
    given = os.environ.get("HEAVYLIFT_SANDBOX_STATE")
    folder = Path(given) if given else new_state_dir()
    stack = Stack.start(folder, SERVERS, detached=bool(given))
    try:
        make_blank(stack.env)
        yield stack
    finally:
        if not given:
            stack.stop()
            shutil.rmtree(folder)


@pytest.fixture(scope="session")
def servers() -> Iterator[Stack]:
    """Two MLflow servers over databases and object stores of their own; the source has a history."""
    given = os.environ.get("HEAVYLIFT_SANDBOX_STATE")
    folder = Path(given) if given else new_state_dir()
    stack = Stack.start(folder, ["mlflow_source", "mlflow_target"], detached=bool(given))
    try:
        for side in ("source", "target"):
            empty_store(connection(stack, f"mlflow_{side}_db"))
        seed(connection(stack, "mlflow_source_db"), ROOTS[0])
        seed_artifacts(connection(stack, "mlflow_source_db"), connection(stack, "aws_source"))
        yield stack
    finally:
        if not given:
            stack.stop()
            shutil.rmtree(folder)


@pytest.fixture(scope="session")
def _trackers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    with tracking_server.servers(tmp_path_factory.mktemp("trackers"), "source", "target") as (source, target):
        yield source, target


@pytest.fixture
def trackers(_trackers: tuple[Server, Server]) -> tuple[Server, Server]:
    """Return two servers over SQLite files, a source and a target, both empty."""
    for each in _trackers:
        each.clear()
    return _trackers


@pytest.fixture
def stores(store_sandbox: Stack, tmp_path: Path) -> Iterator[TwoStores]:
    """Return a source with a little of everything, and a new, empty target."""
    with two_stores(store_sandbox.env, f"file://{tmp_path}/evidence") as pair:
        yield pair


@pytest.fixture
def mysql(store_sandbox: Stack, stores: TwoStores) -> Iterator[MysqlStore]:
    """Return a store in MariaDB that holds what the source holds."""
    with mysql_of(store_sandbox) as made:
        made.fill(stores.source)
        yield made


@pytest.fixture
def shell(
    servers: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """Return a function that runs a command and returns its status and document."""
    for name, value in servers.env.items():
        monkeypatch.setenv(name, value)

    def command(name: str, *more: str, artifacts: list[str] = MAPPED) -> tuple[int, Any]:
        places = ["--source-conn", "mlflow_source", "--target-conn", "mlflow_target"]
        maps = [part for each in artifacts for part in ("--artifacts", each)]
        evidence = ["--evidence", tmp_path.as_uri()]
        status = run(app, ["registry", name, *places, *maps, *evidence, "--json", *more])
        return status, json.loads(capsys.readouterr().out)

    return command


@pytest.fixture
def moved(servers: Stack, shell: Shell) -> Stack:
    """Return the servers once everything has arrived."""
    target = connection(servers, "mlflow_target_db")
    noted = run_sql(target, "SELECT to_regclass('heavylift.registry_store') IS NOT NULL") == [(True,)]
    if not noted or run_sql(target, "SELECT complete FROM heavylift.registry_store") != [(True,)]:
        status, _ = shell("copy", *OBJECTS)
        assert status == 0
    return servers


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    """Return where moto's server answers, which plays one account in each region."""
    folder = new_state_dir()
    stack = Stack.start(folder, ("aws_control",))
    try:
        given = json.loads(stack.env["AIRFLOW_CONN_AWS_CONTROL"])["extra"]
        yield str((given if isinstance(given, dict) else json.loads(given))["endpoint_url"])
    finally:
        stack.stop()
        shutil.rmtree(folder)


@pytest.fixture
def trials(moto_endpoint: str, trackers: tuple[Server, Server]) -> Iterator[TrialWorld]:
    """Return an empty server and an empty region."""
    with trial_world(moto_endpoint, trackers[0]) as world:
        yield world
