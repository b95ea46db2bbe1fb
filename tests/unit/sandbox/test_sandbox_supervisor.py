"""The supervisor with small processes in place of servers: what it owns never outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import launcher, processes, records
from sandbox.launcher import Owner
from sandbox.model import Launch
from sandbox.processes import Ident

SANDBOX = f"test-{os.getpid()}"

SLEEPER = "import time; open({path!r}, 'w').close(); time.sleep(600)"
# Ignores the polite signal and has a child in a session of its own, whose parent is gone.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open({path!r} + ".orphan", "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
os.wait()
open({path!r}, "w").close()
time.sleep(600)
"""


def until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def launch(folder: Path, name: str, code: str, grace: float = 10.0) -> Launch:
    ready = str(folder / f"{name}.ready")
    argv = [sys.executable, "-S", "-E", "-c", code.format(path=ready)]
    return Launch(name, argv, str(folder / "logs" / f"{name}.log"), str(folder), grace=grace)


def is_ready(folder: Path, name: str) -> bool:
    return (folder / f"{name}.ready").exists()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "logs").mkdir()
    yield tmp_path
    records.end_all(tmp_path, SANDBOX)


@pytest.fixture
def owner(folder: Path) -> Iterator[Owner]:
    owner = Owner(folder, detached=False)
    yield owner
    owner.stop()


def left() -> list[list[str]]:
    return [ident.command() for ident in processes.marked(SANDBOX)]


def test_processes_are_recorded_and_end_when_asked(folder: Path, owner: Owner) -> None:
    owner.spawn([launch(folder, "a", SLEEPER), launch(folder, "b", SLEEPER)], SANDBOX)
    until(lambda: is_ready(folder, "a") and is_ready(folder, "b"), "both run")
    found = {record.name: record for record in records.read_all(folder)}
    assert set(found) == {"a", "b"}
    assert all(record.alive for record in found.values())
    owner.stop()
    assert left() == []
    assert not any(record.alive for record in found.values())
    assert {record.exit for record in records.read_all(folder)} == {-signal.SIGTERM}


def test_a_process_that_ends_by_itself_is_noted_with_its_status(folder: Path, owner: Owner) -> None:
    owner.spawn([launch(folder, "a", SLEEPER), launch(folder, "b", "raise SystemExit(7)")], SANDBOX)

    def ended() -> bool:
        record = records.read(folder, "b")
        return record is not None and record.exit == 7

    until(ended, "the status is noted")
    first = records.read(folder, "a")
    assert first is not None
    assert first.alive


def test_the_stubborn_and_their_orphans_are_killed_after_the_grace(folder: Path, owner: Owner) -> None:
    owner.spawn([launch(folder, "a", STUBBORN, grace=0.3)], SANDBOX)
    orphan = folder / "a.ready.orphan"
    until(lambda: is_ready(folder, "a") and orphan.exists(), "it runs with its orphan")
    assert len(left()) == 3
    owner.stop()
    assert left() == []


OWNING = """
import sys, time
from pathlib import Path
from sandbox.launcher import Owner
from sandbox.model import Launch
folder = Path(sys.argv[1])
owner = Owner(folder, detached=sys.argv[3] == "detached")
owner.spawn([Launch.from_json(raw) for raw in __import__("json").loads(sys.argv[4])], sys.argv[2])
if sys.argv[3] == "attached":
    time.sleep(600)
"""


def start_owner(folder: Path, how: str, *launches: Launch) -> subprocess.Popen[bytes]:
    raw = json.dumps([one.to_json() for one in launches])
    return subprocess.Popen(
        [sys.executable, "-c", OWNING, str(folder), SANDBOX, how, raw],
        env={**os.environ, "PYTHONPATH": launcher.python_path()},
        cwd=folder,
    )


def test_nothing_outlives_an_owner_that_is_killed(folder: Path) -> None:
    launches = [launch(folder, "a", SLEEPER), launch(folder, "b", STUBBORN, grace=0.3)]
    with start_owner(folder, "attached", *launches) as owner:
        until(lambda: is_ready(folder, "a") and is_ready(folder, "b"), "both run")
        assert left()
        owner.kill()
    until(lambda: not left(), "nothing is left")


def test_detached_processes_outlive_their_owner_until_they_are_ended(folder: Path) -> None:
    with start_owner(folder, "detached", launch(folder, "a", SLEEPER)):
        until(lambda: is_ready(folder, "a"), "it runs")
    record = records.read(folder, "a")
    assert record is not None
    assert record.alive
    assert records.end_all(folder, SANDBOX) == 1
    assert left() == []
    assert records.read_all(folder) == []


def test_all_ends_though_the_supervisor_was_killed(folder: Path) -> None:
    launches = [launch(folder, "a", SLEEPER), launch(folder, "b", STUBBORN)]
    with start_owner(folder, "detached", *launches):
        until(lambda: is_ready(folder, "a") and is_ready(folder, "b"), "both run")
    record = records.read(folder, "b")
    assert record is not None
    os.kill(record.supervisor.pid, signal.SIGKILL)
    records.end_all(folder, SANDBOX)
    assert left() == []


def test_a_number_that_is_used_again_is_somebody_elses(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"]) as stranger:
        try:
            now = Ident.of(stranger.pid)
            assert now is not None
            earlier = Ident(stranger.pid, now.created - 60)
            assert not earlier.alive
            assert processes.end([earlier], 0.0) == []
            note = {"pid": earlier.pid, "created": earlier.created, "supervisor": earlier.pid}
            note |= {"supervisor_created": earlier.created, "exit": None}
            records.run_dir(folder).mkdir()
            (records.run_dir(folder) / "a.json").write_text(json.dumps(note))
            assert records.end_all(folder, SANDBOX) == 0
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_supervisor_is_known_by_its_command_too(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"]) as stranger:
        try:
            ident = Ident.of(stranger.pid)
            assert ident is not None
            record = records.Record("a", Ident(stranger.pid, 0.0), ident, None)
            assert records.supervisor_of(record) is None
        finally:
            stranger.kill()


def test_the_users_own_environment_does_not_reach_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.setenv("HOME", "/home/airflow")
    env = launcher.environment(Launch("x", ["x"], "l", "/tmp", env={"A": "1"}), "name")
    assert "AWS_SECRET_ACCESS_KEY" not in env
    assert env["HOME"] == "/tmp"
    assert env["A"] == "1"
    assert env[processes.MARK] == "name"


def test_environments_do_not_stay_on_disk(folder: Path, owner: Owner) -> None:
    owner.spawn([launch(folder, "a", SLEEPER)], SANDBOX)
    until(lambda: is_ready(folder, "a"), "it runs")
    assert [path.name for path in records.run_dir(folder).iterdir()] == ["a.json"]
