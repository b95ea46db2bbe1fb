"""The rules of tests/conftest.py: a layer for every test, and no network below integration."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.layers import LAYERS, layer_of
from tests.support.network import NetworkBlockedError, NetworkPolicy, limit_to

ELSEWHERE = ("192.0.2.1", 443)  # TEST-NET-1: never routed


def run_pytest(root: Path, repository: Path) -> subprocess.CompletedProcess[str]:
    """Run pytest over a throw-away tests/ folder with the project's own conftest and settings."""
    for name in ("tests/conftest.py", "tests/__init__.py", "pyproject.toml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text((repository / name).read_text())
    shutil.copytree(repository / "tests" / "support", root / "tests" / "support")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=120)


def test_layer_of_a_path_is_its_folder(tmp_path: Path) -> None:
    assert layer_of(tmp_path / "unit" / "deep" / "test_a.py", tmp_path) == "unit"
    assert layer_of(tmp_path / "e2e" / "test_a.py", tmp_path) == "e2e"


@pytest.mark.parametrize("name", ["test_a.py", "misc/test_a.py", "unit.py", "../unit/test_a.py"])
def test_a_path_outside_the_layers_has_none(tmp_path: Path, name: str) -> None:
    assert layer_of(tmp_path / name, tmp_path) is None


def test_this_test_carries_its_layer_as_a_marker(request: pytest.FixtureRequest) -> None:
    marks = {mark.name for mark in request.node.iter_markers()}
    assert marks & set(LAYERS) == {"unit"}


def test_a_test_outside_the_layers_stops_the_run(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "tests" / "stray").mkdir(parents=True)
    (tmp_path / "tests" / "stray" / "test_it.py").write_text("def test_it() -> None: ...\n")
    done = run_pytest(tmp_path, repository)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "outside a layer folder" in done.stderr
    assert "stray/test_it.py" in done.stderr


def test_airflow_gets_a_home_of_its_own_and_no_settings_of_the_shell(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", "/nowhere")
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "99")
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    (tmp_path / "tests" / "unit" / "test_home.py").write_text(
        textwrap.dedent(
            """
            import os, pathlib

            def test_home():
                assert "AIRFLOW__CORE__PARALLELISM" not in os.environ
                home = pathlib.Path(os.environ["AIRFLOW_HOME"])
                assert home.is_dir() and home != pathlib.Path("/nowhere")
                pathlib.Path("home.txt").write_text(str(home))
            """
        )
    )
    done = run_pytest(tmp_path, repository)
    assert done.returncode == 0, done.stdout
    assert not Path((tmp_path / "home.txt").read_text()).exists(), "the home is left behind"


@pytest.mark.parametrize("address", [ELSEWHERE, ("127.0.0.1", 9), ("::1", 9)])
def test_a_unit_test_cannot_connect(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(NetworkBlockedError, match="integration"):
        sock.connect(address)


def test_a_unit_test_cannot_send_a_datagram() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        pytest.raises(NetworkBlockedError),
    ):
        sock.sendto(b"x", ELSEWHERE)


def test_a_unit_test_cannot_look_up_a_name() -> None:
    with pytest.raises(NetworkBlockedError, match="look up"):
        socket.getaddrinfo("example.org", 443)


def test_a_retry_loop_over_network_errors_cannot_swallow_the_refusal() -> None:
    assert not issubclass(NetworkBlockedError, OSError)


def test_loopback_policy_reaches_this_machine_only() -> None:
    with (
        limit_to(NetworkPolicy.LOOPBACK),
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        socket.socket() as elsewhere,
    ):
        assert client.getpeername() == server.getsockname()
        with pytest.raises(NetworkBlockedError):
            elsewhere.connect(ELSEWHERE)


def test_contract_tests_may_use_loopback_and_the_upper_layers_everything() -> None:
    assert LAYERS["contract"] is NetworkPolicy.LOOPBACK
    assert {LAYERS[name] for name in ("unit", "plugins", "dags")} == {NetworkPolicy.CLOSED}
    assert LAYERS["integration"] is LAYERS["e2e"] is NetworkPolicy.OPEN
