"""Debezium beside the sandbox: a connector that reads ``features_source`` and writes to ``kafka_source``.

``python -m sandbox.debezium`` runs it on a sandbox that is up. Debezium and a Java machine are installed once
for each checkout, into an environment of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from heavylift.connections import Connection, connection_from_json
from sandbox import tools
from sandbox.overview import environment
from sandbox.paths import STATE_DIR, TOOLS_DIR

_HERE = Path(__file__).resolve().parent
PINS = _HERE / "requirements-debezium.txt"
_PROGRAM = _HERE / "debezium_connector.py"
SOURCE, BROKER = "features_source", "kafka_source"

SETTINGS: Mapping[str, str] = {
    # What docs/reference/tables-debezium.md asks of every connector.
    "decimal.handling.mode": "string",
    "interval.handling.mode": "string",
    "binary.handling.mode": "bytes",
    "time.precision.mode": "adaptive_time_microseconds",
    "skipped.operations": "none",
    "snapshot.mode": "initial",
    # The example's own: a connector of the embedded engine keeps its offsets in a file.
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "plugin.name": "pgoutput",
    "publication.autocreate.mode": "filtered",
    "offset.storage": "org.apache.kafka.connect.storage.FileOffsetBackingStore",
    "offset.flush.interval.ms": str(1_000),
    "heartbeat.interval.ms": str(5_000),
}


def python() -> Path:
    """Return the Python that has Debezium, installing it once for each checkout: about 330 MB.

    :raises ServerUnavailableError: an installer failed.
    """
    home = TOOLS_DIR / f"debezium-{hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]}"
    program = home / "bin" / "python"
    with tools.one_at_a_time("debezium"):
        if not (home / ".complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            tools.install("making a folder for Debezium", [sys.executable, "-m", "venv", str(home)])
            pip = [str(program), "-m", "pip", "install", "--quiet", "-r", str(PINS)]
            tools.install("installing Debezium", pip, seconds=1200)
            (home / ".complete").touch()
    return program


def properties(source: Connection, prefix: str, tables: Sequence[str], folder: Path) -> dict[str, str]:
    """Return the connector's settings; not to be shown: the password is among them.

    :param folder: keeps the connector's offsets.
    """
    return {
        **SETTINGS,
        "name": prefix,
        "topic.prefix": prefix,
        "database.hostname": source.host or "",
        "database.port": str(source.port),
        "database.user": source.login or "",
        "database.password": source.password or "",
        "database.dbname": source.schema or "",
        "table.include.list": ",".join(tables),
        "slot.name": f"debezium_{prefix}",
        "publication.name": f"debezium_{prefix}",
        "offset.storage.file.filename": str(folder / "offsets.dat"),
    }


@contextmanager
def connector(
    given: Mapping[str, str], kafka: Mapping[str, str], folder: Path
) -> Iterator[subprocess.Popen[str]]:
    """Run a connector for the block; then let it put its offsets away.

    :param given: its settings.
    :param kafka: the broker's, in librdkafka's words.
    :param folder: takes its log, in ``connector.log``.
    """
    program = python()
    with (folder / "connector.log").open("a") as log:
        process = subprocess.Popen(
            [str(program), str(_PROGRAM)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": ""},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        if process.stdin is not None:
            # Settings go by a pipe: arguments are there for everybody to see.
            process.stdin.write(json.dumps({"properties": dict(given), "kafka": dict(kafka)}) + "\n")
            process.stdin.flush()
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> int:
    """Run the connector on a sandbox that is up, until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.debezium", description=main.__doc__)
    parser.add_argument("--prefix", default="shop", help="the connector's topic.prefix (default: shop)")
    parser.add_argument("--tables", default="public.*", help="tables as regular expressions, by commas")
    given = parser.parse_args()
    env = environment(STATE_DIR)
    names = [f"AIRFLOW_CONN_{each.upper()}" for each in (SOURCE, BROKER)]
    if not set(names) <= env.keys():
        print(f"start the sandbox first: ./dev up --only {SOURCE},features_target,{BROKER}", file=sys.stderr)
        return 2
    source, broker = (connection_from_json(name, env[name]) for name in names)
    kafka = {"bootstrap.servers": str(broker.text("bootstrap.servers"))}
    extra = {**kafka, "topic_prefix": given.prefix, "database_engine": "postgresql", "database_conn": SOURCE}
    folder = STATE_DIR / f"debezium-{given.prefix}"
    folder.mkdir(parents=True, exist_ok=True)
    shown = json.dumps({"conn_type": "kafka", "extra": extra})
    print(f"export AIRFLOW_CONN_{given.prefix.upper()}_TOPICS={shlex.quote(shown)}")
    print(f"The connector writes its log to {folder}/connector.log; Ctrl-C ends it.", flush=True)
    settings = properties(source, given.prefix, given.tables.split(","), folder)
    try:
        with connector(settings, kafka, folder) as process:
            return process.wait()
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
