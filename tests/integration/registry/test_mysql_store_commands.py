"""Commands and tasks of a registry whose source's database is MySQL's kind, between two servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.stack import Stack
from tests.integration.registry.test_tasks import finish, write_spec
from tests.support.mysql_store import MysqlStore, mysql_of
from tests.support.registry_task import start
from tests.support.stores import OBJECTS, Shell, connection, empty_store

THERE = ("--source-store-conn", "mlflow_mysql")


@pytest.fixture
def store(servers: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[MysqlStore]:
    """Return a store in MariaDB that holds what the source's server shows, named by a connection."""
    empty_store(connection(servers, "mlflow_target_db"))
    with mysql_of(servers) as made:
        made.fill(connection(servers, "mlflow_source_db"))
        monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_MYSQL", as_json(made))
        yield made
        empty_store(connection(servers, "mlflow_target_db"))


def as_json(store: MysqlStore) -> str:
    """Return the connection as Airflow keeps it."""
    there = store.connection
    fields: dict[str, Any] = {"conn_type": "mysql", "host": there.host, "port": there.port}
    return json.dumps(fields | {"login": there.login, "password": there.password, "schema": there.schema})


@pytest.mark.long
def test_commands(store: MysqlStore, shell: Shell) -> None:
    status, document = shell("copy", *THERE, "--dry-run")
    assert (status, document["preflight"]["path"]) == (0, "store")
    assert document["preflight"]["path_reason"].startswith("store level")
    status, document = shell("copy", *THERE, *OBJECTS)
    assert (status, document["copy"]["leftovers"]) == (0, [])
    assert document["copy"]["source"].startswith("mlflow_mysql (127.0.0.1:")
    status, document = shell("sync", *THERE, *OBJECTS)
    assert (status, document["sync"]["written"]) == (0, 0)
    status, document = shell("verify", *THERE)
    proof = document["verification"]
    assert (status, proof["passed"], proof["differences"]) == (0, True, [])
    assert all(table["equal"] for table in proof["tables"])
    status, document = shell("verify", *THERE, "--live", "--no-artifacts")
    assert (status, document["verification"]["passed"]) == (0, True)
    status, document = shell("sync", *THERE, "--follow", "--deletes", "propagate")
    assert (status, document["error"]["code"]) == (2, "HL-9596")
    store.sql("UPDATE params SET value = 'changed' LIMIT 1")
    status, document = shell("verify", *THERE, "--no-artifacts")
    assert status == 1
    assert [each["table"] for each in document["verification"]["tables"] if not each["equal"]] == ["params"]


@pytest.mark.long
def test_tasks(store: MysqlStore, servers: Stack, tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    text = yaml.safe_load(spec.read_text())
    text["registries"][0]["source"]["store_connection"] = "mlflow_mysql"
    spec.write_text(yaml.safe_dump(text))
    places = {"conn_type": "file", "extra": {"path": str(tmp_path / "evidence")}}
    env = {
        **servers.env,
        "AIRFLOW_CONN_EVIDENCE": json.dumps(places),
        "AIRFLOW_CONN_MLFLOW_MYSQL": as_json(store),
    }
    looked, copied, synced, verified = finish(start(spec, env, "preflight", "copy", "sync", "verify"))
    assert (looked["passed"], looked["path"]) == (True, "store")
    assert copied["rows"] > 100
    assert synced["written"] == 0
    assert (verified["passed"], verified["tables_unequal"]) == (True, 0)
    assert store.connection.password not in "".join(
        path.read_text() for path in (tmp_path / "evidence").rglob("*.json")
    )
