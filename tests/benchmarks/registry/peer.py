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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from heavylift.connections import Connection, connection_from_env
from heavylift.platforms.postgresql.connect import connect
from sandbox.examples.experiments import Sizes, seed, seed_artifacts
from sandbox.servers import mlflow
from tests.benchmarks.measure import Contender, NoFigureError, Step
from tests.benchmarks.objects.servers import Bench
from tests.benchmarks.registry import PEER
from tests.support.stores import empty_store

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
    """The sandbox's two tracking servers, the source filled with what the peer can take."""

    source: Connection
    target: Connection
    stores: tuple[Connection, Connection]

    def counts(self, side: int) -> Mapping[str, int]:
        """Return how many runs, points and versions a side holds."""
        tables = {"runs": "runs", "points": "metrics", "versions": "model_versions"}
        counts = ", ".join(f"(SELECT count(*) FROM public.{table})" for table in tables.values())
        with connect(self.stores[side], "bench") as session:
            row = session.execute(f"SELECT {counts}".encode()).fetchone() or ()
        return dict(zip(tables, map(int, row), strict=True))


def contender(bench: Bench, servers: Servers) -> Contender:
    """Return the peer: its export, then its import, whole commands."""
    programs = _installed(bench)
    wanted = servers.counts(0)

    def steps(number: int) -> Sequence[Step]:
        folder, threads = str(bench.folder / f"peer-export-{number}"), ("--use-threads", "true")
        return [
            _step(bench, programs / "export-all", servers.source, "--output-dir", folder, *threads),
            _step(bench, programs / "import-all", servers.target, "--input-dir", folder, *threads),
        ]

    def check(_number: int, _printed: Path) -> Mapping[str, float]:
        got = servers.counts(1)
        if got["runs"] < wanted["runs"] or got["points"] < wanted["points"]:
            raise NoFigureError(f"it brought {dict(got)} of {dict(wanted)}")
        return {"versions_of_all": got["versions"] / max(1, wanted["versions"])}

    def clean(number: int) -> None:
        shutil.rmtree(bench.folder / f"peer-export-{number}", ignore_errors=True)

    return Contender(PEER, steps, check, lambda _: empty_store(servers.stores[1]), clean)


def servers(bench: Bench, sized: Sizes) -> Servers:
    """Start both servers, and fill the source with what the peer can take."""
    env = bench.stack("mlflow_source_db", "mlflow_target_db", "aws_source").env
    store = connection_from_env("mlflow_source_db", env)
    empty_store(store)
    seed(store, mlflow.artifact_root("mlflow_source"), sized)
    with connect(store, "bench") as session:
        session.execute("SET search_path = public")
        for statement in _BREAKERS:
            session.execute(statement.encode())
    seed_artifacts(store, connection_from_env("aws_source", env), sized.runs)
    env = bench.stack("mlflow_source", "mlflow_target").env
    both = (connection_from_env(name, env) for name in ("mlflow_source", "mlflow_target"))
    stores = (store, connection_from_env("mlflow_target_db", env))
    return Servers(*both, stores)


def _step(bench: Bench, program: Path, server: Connection, *arguments: str) -> Step:
    side = "aws_source" if server.conn_id == "mlflow_source" else "aws_target"
    keys = connection_from_env(side, bench.stack().env)
    environment = {
        "MLFLOW_TRACKING_URI": str(server.host),
        "MLFLOW_S3_ENDPOINT_URL": keys.text("endpoint_url") or "",
        "AWS_ACCESS_KEY_ID": keys.login or "",
        "AWS_SECRET_ACCESS_KEY": keys.password or "",
        "AWS_DEFAULT_REGION": "us-east-1",
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
        ours = folder / "lib" / version / "site-packages" / "locked.pth"
        ours.write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder / "bin"
