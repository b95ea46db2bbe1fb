"""Two tracking servers as ``mlflow server`` starts them where nothing else is asked for.

Each hands artifacts out by itself, from a folder on its disk, and has MLflow's own number of workers.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from heavylift.connections import Connection, connection_from_env
from sandbox import ports
from sandbox.examples.experiments import Sizes, seed_artifact_files
from sandbox.servers.mlflow import sqlalchemy_url
from tests.benchmarks.measure import NoFigureError
from tests.benchmarks.objects.servers import Bench, until_at_rest
from tests.benchmarks.registry.peer import Servers, files_in, fill
from tests.benchmarks.registry.seeded import Seeded
from tests.support.stores import SERVERS, TwoStores, empty_store

ROOT = "mlflow-artifacts:/artifacts"
_SIDES = ("source", "target")
FILES = ("--source-artifacts-conn", "bench_files", "--target-artifacts-conn", "bench_files")
_DEADLINE = 300.0
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


@contextmanager
def default_servers(bench: Bench, sized: Sizes) -> Iterator[tuple[Servers, Seeded]]:
    """Lend both servers, the source filled with what the peer can take, and the stores behind them."""
    env = bench.stack(*SERVERS).env
    stores = TwoStores(*(connection_from_env(name, env) for name in SERVERS))
    folders = tuple(bench.folder / "artifacts" / side for side in _SIDES)
    for folder in folders:
        folder.mkdir(parents=True)
    bench.say(f"  filling the source: {sized.runs:,} runs, artifacts in a folder")
    fill(stores.source, ROOT, sized)
    for run in (stores.on_source, stores.on_target):
        # A server with another root may have made it before.
        run("UPDATE experiments SET artifact_location = 'mlflow-artifacts:/0' WHERE experiment_id = 0")
    seed_artifact_files(stores.source, folders[0], sized.runs)

    def make_room() -> None:
        empty_store(stores.target)
        shutil.rmtree(folders[1])
        folders[1].mkdir()

    make_room()
    with ExitStack() as started:
        taken: set[int] = set()
        hosts = [
            started.enter_context(_served(bench, side, store, folder, taken))
            for side, store, folder in zip(_SIDES, (stores.source, stores.target), folders, strict=True)
        ]
        told = {**env, **_connections(hosts)}
        both = (connection_from_env(f"mlflow_{side}", told) for side in _SIDES)
        sides = (stores.source, stores.target)
        servers = Servers(*both, sides, told, (), ({}, {}), make_room, folders)
        pair = (folders[0].as_uri(), folders[1].as_uri())
        yield servers, Seeded(stores, told, bench.folder, pairs=(pair,), room=make_room)


@contextmanager
def _served(bench: Bench, side: str, store: Connection, artifacts: Path, taken: set[int]) -> Iterator[str]:
    """Run ``mlflow server`` over a store until the caller is done, and yield its address."""
    port = ports.choose(f"bench_{side}", ("http",), before={}, taken=taken)["http"]
    address = f"http://127.0.0.1:{port}"
    argv = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    argv += ["--artifacts-destination", str(artifacts)]
    login = f"{store.login}:{store.password}@{store.host}:{store.port}/{store.schema}"
    env = {**os.environ, **_QUIET, "MLFLOW_BACKEND_STORE_URI": sqlalchemy_url(f"postgresql://{login}")}
    log = bench.folder / f"server-{side}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(argv, env=env, cwd=bench.folder, stdout=out, stderr=out)
    try:
        _wait(process, address, log)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + _DEADLINE
    while True:
        try:
            # /health answers before the database is there.
            urlopen(f"{address}/api/2.0/mlflow/experiments/get?experiment_id=0", timeout=10).close()
            until_at_rest([psutil.Process(process.pid)])
            return
        except (URLError, OSError):
            if process.poll() is not None or time.monotonic() > until:
                raise NoFigureError(f"mlflow server does not serve: {log.read_text()[-1500:]}") from None
            time.sleep(0.2)


def _connections(hosts: list[str]) -> Mapping[str, str]:
    """Return the connections of servers and stores, by the names that the commands of the lanes use."""
    found = {}
    for side, host in zip(_SIDES, hosts, strict=True):
        for name, extra in (("mlflow", {}), ("bench", {"store_connection": f"mlflow_{side}_db"})):
            server = {"conn_type": "mlflow", "host": host, "extra": extra}
            found[f"AIRFLOW_CONN_{name}_{side}".upper()] = json.dumps(server)
    found["AIRFLOW_CONN_BENCH_FILES"] = json.dumps({"conn_type": "fs"})
    return found


def demand_equal_files(servers: Servers) -> None:
    """Compare both servers' folders, byte for byte.

    :raises NoFigureError: they differ.
    """
    ours, theirs = (
        {name: file.read_bytes() for name, file in files_in(folder)} for folder in servers.folders
    )
    if ours != theirs:
        raise NoFigureError(f"{len(theirs)} of {len(ours)} files arrived, or one is another")
