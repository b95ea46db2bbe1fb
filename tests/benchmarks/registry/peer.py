"""The peer: mlflow-export-import, which reads one server's interface into files and writes another's.

It gets the best case: a store without what breaks it. A deleted run, a logged model without a run, and a
trace that is kept in the database each end an experiment's export, and take its model versions along.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from heavylift.connections import Connection, connection_from_env
from heavylift.platforms.postgresql.connect import connect
from sandbox.examples.experiments import Sizes, seed, seed_artifacts
from sandbox.servers import mlflow
from tests.benchmarks.measure import Contender, NoFigureError, Step
from tests.benchmarks.objects.servers import Bench
from tests.benchmarks.registry import PEER
from tests.support.stores import OBJECTS, empty_store

WANTED = "databricks-mlflow-export-import==1.2.1"
_BREAKERS = (
    "TRUNCATE trace_info CASCADE",
    "TRUNCATE spans CASCADE",
    "UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL",
    "UPDATE experiments SET lifecycle_stage = 'active'",
    "DELETE FROM registered_model_aliases WHERE name LIKE 'prompt-%'",
    "DELETE FROM model_version_tags WHERE name LIKE 'prompt-%'",
    "DELETE FROM model_versions WHERE name LIKE 'prompt-%' OR current_stage = 'Deleted_Internal'",
    "DELETE FROM registered_model_tags WHERE name LIKE 'prompt-%'",
    "DELETE FROM registered_models WHERE name LIKE 'prompt-%'",
    # A server takes only webhooks whose host it can resolve, and the seeded one's does not exist.
    "DELETE FROM webhook_events",
    "DELETE FROM webhooks",
    "UPDATE logged_models SET lifecycle_stage = 'active', source_run_id = coalesce(source_run_id,"
    " (SELECT min(run_uuid) FROM runs r WHERE r.experiment_id = logged_models.experiment_id))",
)


@dataclass(frozen=True)
class Servers:
    """Two tracking servers, the source filled with what the peer can take.

    :param env: the connections ``mlflow_source`` and ``mlflow_target``, and those of their objects.
    :param objects: what our command is told of the objects behind the servers.
    :param keys: what the peer's two commands need for these in their environment.
    :param make_room: takes away what a run has brought.
    :param folders: from which the servers hand artifacts out, where they do so by themselves.
    """

    source: Connection
    target: Connection
    stores: tuple[Connection, Connection]
    env: Mapping[str, str]
    objects: tuple[str, ...]
    keys: tuple[Mapping[str, str], Mapping[str, str]]
    make_room: Callable[[], None]
    folders: tuple[Path, ...] = ()

    def counts(self, side: int) -> Mapping[str, int]:
        """Return how many runs, points, versions, and files in its folder, a side holds."""
        tables = {"runs": "runs", "points": "metrics", "versions": "model_versions"}
        counts = ", ".join(f"(SELECT count(*) FROM public.{table})" for table in tables.values())
        with connect(self.stores[side], "bench") as session:
            row = session.execute(f"SELECT {counts}".encode()).fetchone() or ()
        files = {"files": len(files_in(self.folders[side]))} if self.folders else {}
        return {**dict(zip(tables, map(int, row), strict=True)), **files}


def files_in(folder: Path) -> list[tuple[str, Path]]:
    """Return the files below a folder, by their paths in it."""
    return [(str(file.relative_to(folder)), file) for file in folder.rglob("*") if file.is_file()]


def contender(bench: Bench, servers: Servers) -> Contender:
    """Return the peer: its export, then its import, whole commands."""
    programs = _installed(bench)
    wanted = servers.counts(0)

    def steps(number: int) -> Sequence[Step]:
        folder, threads = str(bench.folder / f"peer-export-{number}"), ("--use-threads", "true")
        return [
            _step(servers, 0, programs / "export-all", "--output-dir", folder, *threads),
            _step(servers, 1, programs / "import-all", "--input-dir", folder, *threads),
        ]

    def check(_number: int, _printed: Path) -> Mapping[str, float]:
        got = servers.counts(1)
        if got["runs"] < wanted["runs"] or got["points"] < wanted["points"]:
            raise NoFigureError(f"it brought {dict(got)} of {dict(wanted)}")
        told = [name for name in ("versions", "files") if name in got]
        return {f"{name}_of_all": got[name] / max(1, wanted[name]) for name in told}

    def clean(number: int) -> None:
        shutil.rmtree(bench.folder / f"peer-export-{number}", ignore_errors=True)

    return Contender(PEER, steps, check, lambda _: servers.make_room(), clean)


def servers(bench: Bench, sized: Sizes) -> Servers:
    """Start the sandbox's both servers, and fill the source with what the peer can take."""
    env = bench.stack("mlflow_source_db", "mlflow_target_db", "aws_source").env
    store = connection_from_env("mlflow_source_db", env)
    fill(store, mlflow.artifact_root("mlflow_source"), sized)
    seed_artifacts(store, connection_from_env("aws_source", env), sized.runs)
    env = bench.stack("mlflow_source", "mlflow_target").env
    bench.rest("mlflow_source", "mlflow_target")
    both = (connection_from_env(name, env) for name in ("mlflow_source", "mlflow_target"))
    stores = (store, connection_from_env("mlflow_target_db", env))
    keys = (_keys(connection_from_env("aws_source", env)), _keys(connection_from_env("aws_target", env)))
    return Servers(*both, stores, env, OBJECTS, keys, lambda: empty_store(stores[1]))


def fill(store: Connection, root: str, sized: Sizes) -> None:
    """Fill a store with what the peer can take."""
    empty_store(store)
    seed(store, root, sized)
    with connect(store, "bench") as session:
        session.execute("SET search_path = public")
        for statement in _BREAKERS:
            session.execute(statement.encode())


def _keys(objects: Connection) -> Mapping[str, str]:
    return {
        "MLFLOW_S3_ENDPOINT_URL": objects.text("endpoint_url") or "",
        "AWS_ACCESS_KEY_ID": objects.login or "",
        "AWS_SECRET_ACCESS_KEY": objects.password or "",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def _step(servers: Servers, side: int, program: Path, *arguments: str) -> Step:
    server = (servers.source, servers.target)[side]
    environment = {
        **servers.keys[side],
        "MLFLOW_TRACKING_URI": str(server.host),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    return Step([str(program), *arguments], environment)


def _installed(bench: Bench) -> Path:
    """Return where the peer's programs are: its own environment, with MLflow as it is locked here."""
    folder = bench.folder / "peer-registry"
    if not folder.exists():
        bench.say(f"  installing {WANTED}")
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps", WANTED]
        subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        packages = folder / "lib" / version / "site-packages"
        (packages / "locked.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        _let_versions_pass(packages / "mlflow_export_import" / "model_version" / "import_model_version.py")
    return folder / "bin"


def _let_versions_pass(module: Path) -> None:
    """Let it bring versions to a server that hands artifacts out by itself: unpatched it brings none."""
    text, wanted = module.read_text(), 'dst_source.startswith("s3:")'
    if text.count(wanted) != 1:
        raise NoFigureError(f"{module.name} of the peer is not the one that the patch is for")
    module.write_text(text.replace(wanted, 'dst_source.startswith(("s3:", "mlflow-artifacts:"))'))
