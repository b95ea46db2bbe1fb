"""Real servers for the contract tests: each test gets a container of its own on them."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heavylift.connections import Connection, connection_from_env
from sandbox.stack import Stack

pytest.register_assert_rewrite("tests.contract.stores.conformance")

ConnectionOf = Callable[[str], Connection]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Return a sandbox in which no server runs yet, or the one of HEAVYLIFT_SANDBOX_STATE."""
    given = os.environ.get("HEAVYLIFT_SANDBOX_STATE")
    if given:
        yield Stack.start(Path(given), [], detached=True)
        return
    folder = Path(tempfile.mkdtemp(prefix="heavylift-sandbox-"))
    running = Stack.start(folder, [])
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def connection_of(stack: Stack) -> ConnectionOf:
    """Return a function that starts a server, if need be, and returns its connection."""

    def connection(name: str) -> Connection:
        if f"AIRFLOW_CONN_{name.upper()}" not in stack.env:
            stack.ensure(name)
        return connection_from_env(name, stack.env)

    return connection


@pytest.fixture(scope="session")
def new_name() -> Callable[[], str]:
    """Return a function that makes a fresh container name, good for S3, GCS and Azure."""
    run = secrets.token_hex(4)
    numbers = itertools.count(1)
    return lambda: f"contract-{run}-{next(numbers)}"
