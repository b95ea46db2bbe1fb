"""Experiment tracking and model registry: MLflow servers, each over PostgreSQL and an S3 bucket."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from importlib import metadata
from pathlib import Path

from heavylift.errors import ServerUnavailableError
from sandbox import state, tools
from sandbox.accounts import unprivileged
from sandbox.http import expect
from sandbox.model import Connection, Launch, Place, Server
from sandbox.paths import TOOLS_DIR
from sandbox.pg_programs import find
from sandbox.servers import postgres, seaweed

WORKERS = "HEAVYLIFT_SANDBOX_MLFLOW_WORKERS"
"""How many processes a tracking server has; one, for the sake of memory, where it is not set."""
_DATABASE, _BUILD = "mlflow", "mlflow_build"
# No usage reports, no job runner (it would start further processes), no look for a git program.
_ENV = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


def database(name: str, title: str) -> Server:
    """Return the PostgreSQL instance of the tracking server ``name``, with MLflow's tables in it."""
    return postgres.server(store_of(name), title, _DATABASE, fill=_make_tables)


def server(name: str, title: str, artifacts: str) -> Server:
    """Return one tracking server over its own database.

    :param artifacts: the S3 server that holds its artifacts.
    """
    return Server(
        name=name,
        title=f"{title} (MLflow)",
        ports=("http",),
        launch=partial(_launch, artifacts),
        probe=_probe,
        connection=_connection,
        prepare=partial(_make_bucket, artifacts),
        deadline=180.0,
        needs=(store_of(name), artifacts),
    )


def store_of(name: str) -> str:
    """Return the connection id of a tracking server's database."""
    return f"{name}_db"


def artifact_root(name: str) -> str:
    """Return under which URL a tracking server keeps the artifacts of its experiments."""
    return f"s3://{name.replace('_', '-')}/artifacts"


def _connection(place: Place) -> Connection:
    extra = {"store_connection": store_of(place.name), "artifacts": artifact_root(place.name)}
    return {"conn_type": "mlflow", "host": place.url, "extra": extra}


def _neighbour(place: Place, name: str) -> Place:
    return state.load(place.state_dir).place(name, place.state_dir)


def _make_bucket(artifacts: str, place: Place) -> None:
    bucket = artifact_root(place.name).split("/")[2]
    seaweed.make_bucket(_neighbour(place, artifacts), bucket)


def sqlalchemy_url(address: str) -> str:
    """Return a database's address as MLflow wants it; not to be shown."""
    return address.replace("postgresql://", "postgresql+psycopg2://", 1)


def _make_tables(place: Place, address: str) -> None:
    """Give the database MLflow's tables.

    MLflow builds them by replaying all of its schema's history, in about ten seconds of CPU; so they are
    built once for each version of MLflow and kept as a script of statements.
    """
    import psycopg

    with psycopg.connect(address, autocommit=True) as session:
        if session.execute("SELECT to_regclass('public.alembic_version')").fetchone() != (None,):
            return
        script = TOOLS_DIR / f"mlflow-{metadata.version('mlflow')}.sql"
        with tools.one_at_a_time("mlflow"):
            if not script.exists():
                # In a database of its own: whatever ends this, the store has all of its tables or none.
                session.execute(f"DROP DATABASE IF EXISTS {_BUILD} WITH (FORCE)".encode())
                session.execute(f"CREATE DATABASE {_BUILD}".encode())
                _build_tables(postgres.address(place, _BUILD))
                _keep_tables(place, script)
                session.execute(f"DROP DATABASE {_BUILD} WITH (FORCE)".encode())
            # Statements that are sent together are one transaction.
            session.execute(script.read_bytes())


def _build_tables(address: str) -> None:
    env = {**os.environ, **_ENV, "MLFLOW_BACKEND_STORE_URI": sqlalchemy_url(address)}
    # The address is in the environment: arguments can be read by everybody on the machine.
    code = "import os; from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine"
    code += "; _initialize_tables(create_sqlalchemy_engine(os.environ['MLFLOW_BACKEND_STORE_URI']))"
    tools.install("making MLflow's tables", [sys.executable, "-c", code], env=env)


def _keep_tables(place: Place, script: Path) -> None:
    account = unprivileged()
    programs = find(account, postgres.folder(place, account))
    argv = [programs["pg_dump"], "--no-owner", "--inserts", "-h", "127.0.0.1"]
    argv += ["-p", str(place.ports["sql"]), "-U", postgres.USER, _BUILD]
    env = {"PGPASSWORD": place.secrets["password"], "LC_ALL": "C"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServerUnavailableError(
            "keeping MLflow's tables for the next sandbox",
            got=tools.tail(done.stderr),
            state="the database has no tables yet; nothing half-written is kept",
            remedy="mend what pg_dump names and run the command again",
            code="9034",
        )
    # Lines for psql alone; and the empty search path would outlive the script in its session.
    lines = [line for line in done.stdout.splitlines() if not line.startswith("\\")]
    partial_script = script.with_suffix(".part")
    partial_script.write_text("\n".join([*lines, "SET search_path = public;", ""]))
    partial_script.rename(script)


def _launch(artifacts: str, place: Place) -> Launch:
    store = _neighbour(place, store_of(place.name))
    keys = _neighbour(place, artifacts)
    argv = [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", "127.0.0.1", "--port", str(place.ports["http"])),
        *("--workers", os.environ.get(WORKERS, "1")),
        *("--default-artifact-root", artifact_root(place.name)),
    ]
    env = {
        **_ENV,
        "MLFLOW_BACKEND_STORE_URI": sqlalchemy_url(postgres.address(store, _DATABASE)),
        "MLFLOW_S3_ENDPOINT_URL": keys.url,
        "AWS_ACCESS_KEY_ID": keys.secrets["access_key"],
        "AWS_SECRET_ACCESS_KEY": keys.secrets["secret_key"],
        "AWS_DEFAULT_REGION": seaweed.REGION,
    }
    return Launch(place.name, argv, str(place.log), str(place.home), env=env)


def _probe(place: Place) -> None:
    expect(f"{place.url}/health")
    # /health answers before the database is there.
    expect(f"{place.url}/api/2.0/mlflow/experiments/get?experiment_id=0")
