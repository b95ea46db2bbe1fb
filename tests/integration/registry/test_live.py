"""A verification while teams go on working on the source, against real MLflow servers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sandbox.examples.history import mutate
from sandbox.http import request
from sandbox.stack import Stack
from tests.support.stores import OBJECTS, Shell, connection
from tests.support.two_databases import run_sql


def tag(servers: Stack, key: str, value: str) -> None:
    """Set a tag of a run on the source, as a client does."""
    run = run_sql(connection(servers, "mlflow_source_db"), "SELECT md5('run1')")[0][0]
    answer = request(
        f"{connection(servers, 'mlflow_source').host}/api/2.0/mlflow/runs/set-tag",
        method="POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps({"run_id": run, "key": key, "value": value}).encode(),
        timeout=30,
    )
    assert answer.status == 200, answer.body


@contextmanager
def busy(servers: Stack) -> Iterator[list[int]]:
    """Let a client write to the source for the length of the block; yields what it has written."""
    stop, written = threading.Event(), list[int]()

    def write() -> None:
        while not stop.is_set():
            tag(servers, "live", str(len(written)))
            written.append(len(written))
            if len(written) % 10 == 0:
                mutate(servers.env)
            stop.wait(0.05)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield written
    finally:
        stop.set()
        writer.join()


@pytest.mark.long
def test_a_source_in_use_is_proved_and_what_is_newer_is_told_apart(moved: Stack, shell: Shell) -> None:
    with busy(moved) as written:
        status, document = shell("verify", "--live", "--no-artifacts")
        assert len(written) > 3
    proof = document["verification"]
    assert (status, proof["passed"], proof["live"]) == (0, True, True), proof["differences"]
    assert all(table["equal"] for table in proof["tables"])
    for each in proof["compared"]:
        assert each["source"] == each["equal"] + each["different"] + each["missing"]
        assert each["different"] + each["missing"] + each["extra"] == each["newer"] + each["kept"]
    # Without --live the same source differs; once it is quiet and synced it does not.
    tag(moved, "after", "1")
    status, document = shell("verify", "--no-artifacts")
    assert (status, document["verification"]["passed"]) == (1, False)
    assert shell("sync", *OBJECTS)[0] == 0
    assert shell("verify", "--no-artifacts")[0] == 0


def test_what_others_wrote_on_the_target_is_never_excused(moved: Stack, shell: Shell) -> None:
    target = connection(moved, "mlflow_target_db")
    shell("sync")
    run_sql(target, "INSERT INTO registered_models (name, workspace) VALUES ('theirs', 'default')")
    try:
        status, document = shell("verify", "--live", "--no-artifacts")
        assert (status, document["error"]["code"]) == (1, "HL-7112")
    finally:
        run_sql(target, "DELETE FROM registered_models WHERE name = 'theirs'")


def test_what_has_gone_and_is_kept_is_counted(moved: Stack, shell: Shell) -> None:
    tag(moved, "to be gone", "1")
    shell("sync")
    run_sql(connection(moved, "mlflow_source_db"), "DELETE FROM tags WHERE key = 'to be gone'")
    try:
        status, document = shell("verify", "--live", "--no-artifacts")
        proof = document["verification"]
        assert (status, proof["passed"]) == (0, True), proof["differences"]
        assert {each["what"]: each["kept"] for each in proof["compared"] if each["kept"]} == {"run": 1}
        assert {each["table"]: each["kept"] for each in proof["tables"] if each["kept"]} == {"tags": 1}
        status, document = shell("verify", "--no-artifacts")
        assert (status, document["verification"]["passed"]) == (1, False)
    finally:
        assert shell("sync", "--deletes", "propagate")[0] == 0


@pytest.mark.parametrize("live", [("--live",), ()])
def test_a_quiet_source_is_equal_either_way(moved: Stack, shell: Shell, live: tuple[str, ...]) -> None:
    shell("sync")
    status, document = shell("verify", "--no-artifacts", *live)
    assert (status, document["verification"]["difference_count"]) == (0, 0)
