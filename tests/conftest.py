"""What holds for every test: its layer, how far it may reach, and an Airflow home of its own.

A test belongs to the layer whose folder holds it and is marked with that layer's name; a test outside
the layers is refused. ``pytest -m unit`` and ``pytest tests/unit`` are thus the same.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support import network
from tests.support.layers import LAYERS, TESTS, layer_of

REPOSITORY = TESTS.parent
# One folder for all that a run leaves behind. tmp_path is below it too, because pytest's shared default
# makes each run clear away the leavings of others, which fails where another run is still at work in them.
# To look at a test's files afterwards: pytest --basetemp=FOLDER.
_SCRATCH = Path(tempfile.mkdtemp(prefix="heavylift-tests-"))
_AIRFLOW_HOME = _SCRATCH / "airflow"


def _isolate_airflow() -> None:
    """Point Airflow at an empty home before anything imports it; it reads these once, on import."""
    if "airflow" in sys.modules:
        raise pytest.UsageError("airflow was imported before tests/conftest.py could give it a home")
    for name in [name for name in os.environ if name.startswith("AIRFLOW__")]:
        del os.environ[name]
    _AIRFLOW_HOME.mkdir()
    os.environ |= {
        "AIRFLOW_HOME": str(_AIRFLOW_HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_AIRFLOW_HOME / 'airflow.db'}",
    }


_isolate_airflow()
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_SCRATCH))


def pytest_configure(config: pytest.Config) -> None:
    """Register the layers as markers and put the network guard in place."""
    for layer in LAYERS:
        config.addinivalue_line("markers", f"{layer}: set by tests/conftest.py for tests/{layer}/")
    config.addinivalue_line(
        "markers", "long: run by ./dev test --all, not by ./dev test; see sandbox/layers.py"
    )
    network.install()


def pytest_unconfigure() -> None:
    """Take the run's folder away again."""
    shutil.rmtree(_SCRATCH, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with its layer; refuse the run if a test has none."""
    homeless = sorted({str(item.path) for item in items if layer_of(item.path) is None})
    if homeless:
        raise pytest.UsageError(
            f"tests outside a layer folder (tests/{{{','.join(LAYERS)}}}/): {', '.join(homeless)}"
        )
    for item in items:
        item.add_marker(str(layer_of(item.path)))
    _leave_other_shares_out(config, items)


def _leave_other_shares_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the long tests of other shares, where only one share is asked for."""
    asked = os.environ.get("HEAVYLIFT_TEST_SHARE")
    if not asked:
        return
    from sandbox.layers import Share

    share = Share.parse(asked)
    kept, left_out = [], []
    for item in items:
        wanted = item.get_closest_marker("long") is None or share.has(item.nodeid)
        (kept if wanted else left_out).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Hold each test, its fixtures included, to the network its layer may use."""
    layer = layer_of(item.path)
    policy = LAYERS[layer] if layer else network.NetworkPolicy.CLOSED
    with network.limit_to(policy):
        return (yield)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Create the tables of Airflow's metadata database in the tests' own Airflow home."""
    from airflow.utils.db import initdb

    with warnings.catch_warnings():
        # Airflow's own use of Alembic warns; nothing of ours runs in here.
        warnings.simplefilter("ignore", DeprecationWarning)
        initdb()
