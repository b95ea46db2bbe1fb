"""The e2e layer: the example's migration in a real scheduler, between real servers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from heavylift.spec import load_spec
from sandbox.demo_airflow import AirflowClient
from sandbox.examples import fraud_scoring
from sandbox.stack import Stack
from tests.e2e.journey import Journey

SCALE = 0.3
# Waits of people and clouds, shortened: the retries themselves are what is tried.
# And no run but those that a test starts.
CHANGES = {
    "retry_delay: 10s": "retry_delay: 1s",
    "max_retry_delay: 5m": "max_retry_delay: 2s",
    'sync: "0 * * * *"': "sync: null",
}


@pytest.fixture(scope="session")
def journey(repository: Path) -> Iterator[Journey]:
    """Return two clouds with the seeded workload, and Airflow with the example's DAGs."""
    folder = Path(tempfile.mkdtemp(prefix="heavylift-e2e-"))
    folder.chmod(0o711)
    spec_file = _spec(repository, folder / "migrations")
    stack = Stack.start(
        folder / "state",
        ["aws_source", "gcp_target"],
        airflow=True,
        airflow_settings={"HEAVYLIFT_MIGRATIONS": str(spec_file.parent)},
    )
    try:
        fraud_scoring.seed(stack.env, scale=SCALE)
        yield Journey(stack, _client(stack), load_spec(spec_file))
    finally:
        stack.stop()
        shutil.rmtree(folder)


def _spec(repository: Path, folder: Path) -> Path:
    text = (repository / "include" / "migrations" / "fraud-scoring.yaml").read_text()
    for before, after in CHANGES.items():
        assert before in text
        text = text.replace(before, after)
    folder.mkdir()
    file = folder / "fraud-scoring.yaml"
    file.write_text(text)
    return file


def _client(stack: Stack) -> AirflowClient:
    assert stack.airflow_url is not None
    assert stack.airflow_login is not None
    return AirflowClient(stack.airflow_url, *stack.airflow_login)
