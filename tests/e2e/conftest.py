"""The e2e layer: migrations in a real scheduler and triggerer, between real servers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from heavylift.spec import load_spec
from sandbox.demo import SERVERS
from sandbox.demo_airflow import AirflowClient
from sandbox.examples import features, fraud_scoring
from sandbox.stack import Stack
from tests.e2e.journey import Journey
from tests.e2e.specs import write_managed, write_nightly, write_offline, write_switched
from tests.support import tracking_server
from tests.support.switched import as_json
from tests.support.tracking_server import Server

SCALE = 0.3
# Waits of people and clouds, shortened: the retries themselves are what is tried.
# And no run but those that a test starts.
CHANGES = {
    "retry_delay: 10s": "retry_delay: 1s",
    "max_retry_delay: 5m": "max_retry_delay: 2s",
    'sync: "0 * * * *"': "sync: null",
    'registry: "30 * * * *"': "registry: null",
}
# The tests that need the two tracking servers, which take longer to start than all others together.
TRACKING = frozenset({"mlflow_source", "mlflow_target"})
TRACKED = frozenset({"test_assess.py", "test_history.py"})
MANAGED_IN = "test_history.py"
# All DAGs are there before the first test, and no test waits for a spec to be read again; tasks read their
# DAG by themselves. Reading all every ten seconds, as in the sandbox, took a third of this layer's time.
READ_SELDOM = {"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60"}


@dataclass(frozen=True)
class Site:
    """Two clouds, and Airflow with the DAGs of all specs in a folder.

    :param mount: the folder below which devices are mounted.
    :param managed: tracking servers whose databases nobody reaches, for the test that needs them.
    """

    stack: Stack
    client: AirflowClient
    specs: Path
    mount: Path
    managed: tuple[Server, ...] = ()

    def journey(self, migration: str) -> Journey:
        """Return what a migration is run and watched with."""
        return Journey(self.stack, self.client, load_spec(self.specs / f"{migration}.yaml"))


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest, repository: Path) -> Iterator[Site]:
    """Return two clouds without an object, and Airflow with every migration of this layer."""
    folder = Path(tempfile.mkdtemp(prefix="heavylift-e2e-"))
    folder.chmod(0o711)
    specs, mount = folder / "migrations", folder / "mnt"
    specs.mkdir()
    mount.mkdir()
    _write_example(repository, specs)
    write_offline(specs, mount)
    write_switched(specs)
    write_managed(specs)
    write_nightly(specs, datetime.now(UTC) + timedelta(hours=12))
    tracked = any(item.path.name in TRACKED for item in request.session.items)
    asked = {item.path.name for item in request.session.items}
    with managed_servers(folder) if MANAGED_IN in asked else nullcontext(()) as managed:
        stack = Stack.start(
            folder / "state",
            [name for name in SERVERS if tracked or name not in TRACKING],
            airflow=True,
            airflow_settings={
                "HEAVYLIFT_MIGRATIONS": str(specs),
                **READ_SELDOM,
                **{f"AIRFLOW_CONN_{each.name.upper()}": as_json(each.connection) for each in managed},
            },
        )
        try:
            yield Site(stack, _client(stack), specs, mount, tuple(managed))
        finally:
            stack.stop()
            shutil.rmtree(folder)


def managed_servers(folder: Path) -> AbstractContextManager[Sequence[Server]]:
    """Return two tracking servers as a cloud keeps them: nobody reaches their databases."""
    return tracking_server.servers(folder, "managed_source", "managed_target")


@pytest.fixture(scope="session")
def journey(site: Site) -> Journey:
    """Return the example's migration, its workload seeded."""
    fraud_scoring.seed(site.stack.env, scale=SCALE)
    features.seed(site.stack.env)
    return site.journey("fraud-scoring")


def _write_example(repository: Path, folder: Path) -> None:
    text = (repository / "include" / "migrations" / "fraud-scoring.yaml").read_text()
    for before, after in CHANGES.items():
        assert before in text
        text = text.replace(before, after)
    (folder / "fraud-scoring.yaml").write_text(text)


def _client(stack: Stack) -> AirflowClient:
    assert stack.airflow_url is not None
    assert stack.airflow_login is not None
    return AirflowClient(stack.airflow_url, *stack.airflow_login)
