"""The sandbox's Airflow: one start, looked at from outside, then its owner is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox import airflow, launcher, processes, records, state
from sandbox.http import request
from sandbox.processes import Ident
from sandbox.servers import airflow_db, postgres
from sandbox.stack import stop_all
from tests.support.listening import listens_on

pytestmark = pytest.mark.long

OWNER = """
import sys
from pathlib import Path
from sandbox.stack import Stack

stack = Stack.start(Path(sys.argv[1]), ["gcp_target"], airflow=True)
print(stack.airflow_url, *stack.airflow_login, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="heavylift-airflow-life-"))
    made.chmod(0o711)
    yield made
    stop_all(made)
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def owner(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)],
        env={**os.environ, "PYTHONPATH": launcher.python_path()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield process
        process.kill()


@pytest.fixture(scope="module")
def login(owner: subprocess.Popen[str]) -> tuple[str, str, str]:
    """Return the address, user and password, once all of it serves."""
    assert owner.stdout is not None
    url, user, password = owner.stdout.readline().split()
    return url, user, password


def family(folder: Path) -> list[Ident]:
    found = [ident for record in records.read_all(folder) for ident in record.process.family()]
    return [*processes.marked(state.load(folder).sandbox), *found]


def token(login: tuple[str, str, str]) -> str:
    url, user, password = login
    body = json.dumps({"username": user, "password": password}).encode()
    answer = request(
        f"{url}/auth/token", method="POST", body=body, headers={"Content-Type": "application/json"}
    )
    return str(json.loads(answer.body)["access_token"])


def test_it_lets_nobody_in_without_the_password(login: tuple[str, str, str]) -> None:
    url, user, _ = login
    assert request(f"{url}/api/v2/dags").status == 401
    body = json.dumps({"username": user, "password": user}).encode()
    wrong = request(
        f"{url}/auth/token", method="POST", body=body, headers={"Content-Type": "application/json"}
    )
    assert wrong.status == 401
    header = {"Authorization": f"Bearer {token(login)}"}
    assert request(f"{url}/api/v2/dags", headers=header).status == 200


def test_its_four_processes_listen_on_loopback_only(folder: Path, login: tuple[str, str, str]) -> None:
    running = {record.name for record in records.read_all(folder) if record.alive}
    assert set(airflow.component_names()) <= running
    found = {address for ident in family(folder) for address, _port in listens_on(ident)}
    assert found == {"127.0.0.1"}


def test_a_session_that_a_lost_scheduler_leaves_with_its_locks_ends_by_itself(
    folder: Path, login: tuple[str, str, str]
) -> None:
    address = postgres.address(state.load(folder).place(airflow_db.NAME, folder), "airflow")
    with psycopg.connect(address) as lost, psycopg.connect(address, autocommit=True) as other:
        lost.execute("SELECT FROM slot_pool FOR UPDATE")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("SELECT FROM slot_pool FOR UPDATE NOWAIT")
        other.execute("SET lock_timeout = '5min'")
        other.execute("SELECT FROM slot_pool FOR UPDATE")
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            lost.execute("SELECT")


def test_no_key_is_in_a_command_line_and_none_can_be_read_by_others(
    folder: Path, login: tuple[str, str, str]
) -> None:
    keys = {key for keys in state.load(folder).secrets.values() for key in keys.values()}
    lines = [" ".join(ident.command()) for ident in family(folder)]
    assert not [line for line in lines if any(key in line for key in keys)]
    readable = [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and stat.S_IMODE(path.stat().st_mode) & 0o077
        and any(key.encode() in path.read_bytes() for key in keys)
    ]
    assert readable == []


def test_nothing_of_it_is_left_when_its_owner_is_killed(
    folder: Path, owner: subprocess.Popen[str], login: tuple[str, str, str]
) -> None:
    before = family(folder)
    assert len(before) > 8
    os.killpg(owner.pid, signal.SIGKILL)
    # Each process may use up the grace that its launch gives it.
    deadline = time.monotonic() + 90
    while processes.running(before) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [ident.command() for ident in processes.running([*before, *family(folder)])] == []
