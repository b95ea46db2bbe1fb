"""Fixtures of the streams' integration tests: two brokers in a sandbox of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.stack import Stack
from tests.integration.conftest import new_state_dir
from tests.integration.streams.brokers import Brokers


@pytest.fixture(scope="session")
def kafka_sandbox() -> Iterator[Stack]:
    """Return a sandbox in which only the two brokers run."""
    folder = new_state_dir()
    stack = Stack.start(folder, ["kafka_source", "kafka_target"])
    try:
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(folder)


@pytest.fixture
def brokers(kafka_sandbox: Stack, tmp_path: Path) -> Brokers:
    """Return the brokers, with a topic and a stream of the test's own."""
    return Brokers(kafka_sandbox.env, tmp_path)
