"""A model's process is shut off, bounded, and gone when its watcher is; what it says is only read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from heavylift.errors import IncompleteError, IntegrityError
from heavylift.models import launcher
from heavylift.models.sessions import Limits, ModelProcess

LAUNCHER = Path(launcher.__file__)
PROBE = """
import json, os, socket
found = {"variables": sorted(os.environ), "isolation": os.environ.get("HEAVYLIFT_ISOLATION")}
try:
    socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), timeout=2)
    found["network"] = True
except OSError:
    found["network"] = False
try:
    found["secret"] = b"SECRET" in open(f"/proc/{os.getppid()}/environ", "rb").read()
except OSError:
    found["secret"] = False
print(json.dumps(found))
"""


def launch(code: str, port: int = 9, **resources: int) -> subprocess.CompletedProcess[str]:
    """Run code as a model would be run."""
    limits = json.dumps({"parent": os.getpid(), "resources": resources})
    argv = [sys.executable, "-I", str(LAUNCHER), limits, sys.executable, "-IB", "-c", code]
    environment = {"PATH": "/usr/bin:/bin", "PORT": str(port)}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_a_model_sees_no_network_no_other_process_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setenv("AIRFLOW_CONN_SECRET", "SECRET")
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = launch(PROBE, server.getsockname()[1])
    found = json.loads(done.stdout)
    assert set(found["variables"]) <= {"PATH", "PORT", "HEAVYLIFT_ISOLATION", "LC_CTYPE"}
    if found["isolation"] != "network":
        # A kernel that allows no namespaces: then that is what has to be said.
        assert found["isolation"].startswith(("none: ", "network: "))
        return
    assert found["network"] is False
    assert found["secret"] is False


@pytest.mark.parametrize(
    ("code", "resources", "said"),
    [
        ("bytearray(2 * 2**30)", {"RLIMIT_AS": 2**30}, "MemoryError"),
        ("open('x', 'wb').write(b'x' * 2**21)", {"RLIMIT_FSIZE": 2**20}, ""),
        ("while True: pass", {"RLIMIT_CPU": 1}, ""),
    ],
)
def test_a_model_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, resources: dict[str, int], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = launch(code, **resources)
    assert done.returncode != 0
    assert said in done.stderr


def interpreter(folder: Path, script: str) -> Path:
    """Return a program that stands where a model's interpreter would."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return path


HELLO = """echo '{"ok": {"python": "3.11", "isolation": "network"}}'"""


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ("exec sleep 600", IncompleteError, "no answer within"),
        ("echo no json", IntegrityError, "no JSON"),
        ("echo the reason >&2; exit 3", IncompleteError, "status 3; it said: …the reason"),
        ("kill -9 $$", IncompleteError, "signal 9"),
        ("""echo '{"error": "boom"}'; exec sleep 60""", IncompleteError, "boom"),
        ("exec yes | tr -d '\\n'", IntegrityError, "more than"),
        ("""echo '{"ok": {}}'; exec sleep 60""", IntegrityError, "something else"),
        ("""echo '{"ok": 3}'; exec sleep 60""", IntegrityError, "something else"),
        ("exec sleep 600 >&-", IncompleteError, "closed the pipe"),
        ("sleep 600 & exit 3", IncompleteError, "status 3"),
    ],
)
def test_a_process_that_does_not_answer_is_told_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, error: type[Exception], words: str
) -> None:
    monkeypatch.setattr("heavylift.models.sessions._MAX_LINE", 2**20)
    monkeypatch.setattr("heavylift.models.sessions._PARTING", 0.5)
    limits = Limits(seconds=2.0)
    process = ModelProcess("model", interpreter(tmp_path, script), "mlflow", tmp_path, limits)
    began = time.monotonic()
    with pytest.raises(error, match=words), process:
        raise AssertionError("it must not be taken for a model")
    assert time.monotonic() - began < 20
    assert process._process is None
    assert not Path(process._scratch).exists()


def test_work_that_is_to_stop_ends_the_process_at_once(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    process = ModelProcess("model", interpreter(tmp_path, "exec sleep 600"), "mlflow", tmp_path, check=stop)
    with pytest.raises(KeyboardInterrupt), process:
        raise AssertionError("it must not be taken for a model")
    assert process._process is None


def test_a_process_that_ends_between_two_questions_is_told(tmp_path: Path) -> None:
    def ask() -> None:
        with ModelProcess("model", interpreter(tmp_path, f"{HELLO}\nexit 3"), "mlflow", tmp_path) as process:
            assert process._process is not None
            process._process.wait()
            process.peak_bytes()

    with pytest.raises(IncompleteError, match="it has ended"):
        ask()


def test_what_a_model_has_started_ends_with_it(tmp_path: Path) -> None:
    stray = tmp_path / "stray"
    script = f"setsid sh -c 'echo $$ > {stray}; exec sleep 600' &\n"
    script += f"while [ ! -s {stray} ]; do :; done\n{HELLO}\nexec sleep 600"
    with ModelProcess("model", interpreter(tmp_path, script), "mlflow", tmp_path) as process:
        assert process._process is not None
        shut = os.readlink(f"/proc/{process._process.pid}/ns/net") != os.readlink("/proc/self/ns/net")
        assert _runs(int(stray.read_text()))
    if not shut:
        # A kernel that allows no namespaces: nothing tells whose child it was.
        os.kill(int(stray.read_text()), signal.SIGKILL)
    assert within(20, lambda: not _runs(int(stray.read_text()))), "it outlived the model"


WATCHER = """
import sys, time
from pathlib import Path
from heavylift.models.sessions import ModelProcess
with ModelProcess("model", Path(sys.argv[1]), "mlflow", Path(".")) as process:
    print(process._process.pid, flush=True)
    time.sleep(600)
"""


def test_a_model_ends_with_its_watcher_even_if_that_is_killed(tmp_path: Path, repository: Path) -> None:
    script = interpreter(tmp_path, f"{HELLO}\nexec sleep 600")
    environment = {**os.environ, "PYTHONPATH": str(repository / "include"), "TMPDIR": str(tmp_path)}
    watcher = subprocess.Popen(
        [sys.executable, "-c", WATCHER, str(script)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert watcher.stdout is not None
    model = int(watcher.stdout.readline())
    assert Path(f"/proc/{model}").exists()
    watcher.send_signal(signal.SIGKILL)
    watcher.wait()
    watcher.stdout.close()
    assert within(20, lambda: not _runs(model)), "the model's process outlived its watcher"


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Look again and again for a while."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
