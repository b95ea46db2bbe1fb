"""``heavylift registry sync --follow`` as a process of its own, to be killed; and clients that log then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.isolated import REPOSITORY
from tests.support.stores import MAP, TwoStores

PATIENCE = 60.0


def environment(stores: TwoStores) -> dict[str, str]:
    """Return the connections of two stores that no server stands before."""
    found = {"PYTHONPATH": f"{REPOSITORY}/include", "PATH": os.environ["PATH"]}
    for side, store in (("SOURCE", stores.source), ("TARGET", stores.target)):
        fields = {name: getattr(store, name) for name in ("host", "port", "login", "password", "schema")}
        found[f"AIRFLOW_CONN_{side}_DB"] = json.dumps({"conn_type": "postgres", **fields})
        server = {"conn_type": "mlflow", "host": "http://127.0.0.1:9"}
        server["extra"] = {"store_connection": f"{side.lower()}_db"}
        found[f"AIRFLOW_CONN_{side}"] = json.dumps(server)
    return found


def words(stores: TwoStores, act: str, *more: str) -> list[str]:
    """Return a command on two stores, with the names under which the tests' own requests know them."""
    maps = [word for source, target in MAP.pairs for word in ("--artifacts", f"{source}={target}")]
    names = ["--migration", "m", "--name", "history", "--evidence", str(stores.evidence_url)]
    ends = ["--source-conn", "source", "--target-conn", "target"]
    return [sys.executable, "-m", "heavylift", "registry", act, *ends, *maps, *names, *more]


class Follower:
    """A follower; what it says is collected in a file, which messages of failed tests show."""

    def __init__(self, argv: list[str], env: Mapping[str, str]) -> None:
        with tempfile.NamedTemporaryFile(prefix="follower-", suffix=".log", delete=False) as log:
            self.log = Path(log.name)
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, env=dict(env), cwd=REPOSITORY)

    @property
    def said(self) -> str:
        """What it has written until now."""
        return self.log.read_text(errors="replace")

    def wait_until(self, met: Callable[[], bool]) -> None:
        """Wait while it works; fail where it ends before, or the time is over."""
        until = time.monotonic() + PATIENCE
        while not met():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < until, self.said
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a machine does that goes away."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Interrupt it, as a person does; return its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)


@contextmanager
def follower(stores: TwoStores, *more: str) -> Iterator[Follower]:
    """Follow for the length of the block, or until it is killed."""
    argv = words(stores, "sync", "--follow", "--deletes", "propagate", *more)
    running = Follower(argv, environment(stores))
    try:
        yield running
    finally:
        running.kill()
        running.log.unlink()


@contextmanager
def logging_runs(write: Callable[[int], Any], pause: float = 0.02) -> Iterator[list[int]]:
    """Call ``write`` with ever higher numbers for the length of the block; yields what was accepted."""
    stop, done, wrong = threading.Event(), list[int](), list[BaseException]()

    def act() -> None:
        number = 0
        while not stop.wait(pause):
            try:
                write(number)
            except BaseException as error:
                wrong.append(error)
                return
            done.append(number)
            number += 1

    writer = threading.Thread(target=act)
    writer.start()
    try:
        yield done
    finally:
        stop.set()
        writer.join()
    if wrong:
        raise wrong[0]
