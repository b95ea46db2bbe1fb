"""What teams write on the target after a switch goes back through the interface, and there again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from sandbox.stack import Stack
from tests.support import history
from tests.support.history import V2, pairs
from tests.support.interface_moves import Moves
from tests.support.registry_team import Team
from tests.support.shell import start
from tests.support.stores import two_stores
from tests.support.tracking_server import Server, over_store, servers

COUNTS = (
    "SELECT name FROM experiments WHERE lifecycle_stage = 'active' ORDER BY 1",
    "SELECT lifecycle_stage, count(*) FROM runs GROUP BY 1 ORDER BY 1",
    "SELECT key, count(*) FROM metrics GROUP BY 1 ORDER BY 1",
    "SELECT count(*) FROM trace_info",
    "SELECT version, count(*) FROM model_versions WHERE current_stage <> 'Deleted_Internal' GROUP BY 1",
    "SELECT alias, version, count(*) FROM registered_model_aliases GROUP BY 1, 2 ORDER BY 1, 2",
)


@dataclass(frozen=True)
class Pair:
    """Two servers: the first was moved to the second."""

    home: Server
    away: Server

    @property
    def there(self) -> Moves:
        return Moves(self.home.connection, self.away.connection)

    @property
    def back(self) -> Moves:
        return replace(self.there, back=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with servers(tmp_path_factory.mktemp("both"), "home", "away") as (home, away):
        yield Pair(home, away)


@pytest.fixture
def pair(running: Pair) -> Pair:
    running.home.clear()
    running.away.clear()
    history.fill(running.home)
    return running


def test_nothing_new_goes_back(pair: Pair) -> None:
    with pytest.raises(NotFoundError, match="HL-9587"):
        pair.back.look()
    pair.there.copy()
    before, runs = pair.home.dump(), pair.home.sql("SELECT count(*) FROM runs")
    looked = pair.back.look(dry_run=True)
    assert looked.passed, looked.findings
    assert {each.table: each.inserted for each in looked.sorts if each.inserted} == {}
    assert pair.home.dump() == before
    proof = pair.back.verify()
    assert proof.passed, proof.differences
    record, _ = pair.back.copy(accept_losses=True)
    assert record.failures == ()
    assert pair.home.sql("SELECT count(*) FROM runs") == runs
    proof = pair.back.verify()
    assert proof.passed, proof.differences
    assert pair.back.copy(accept_losses=True)[0].written == 0
    assert pair.back.sync(accept_losses=True).written == 0
    assert pair.there.sync(accept_losses=True).written == 0
    proof = pair.there.verify()
    assert proof.passed, proof.differences


def written_since(server: Server) -> dict[str, str]:
    """Write what teams write after a switch; return the ids of what is new."""
    (first,) = server.sql("SELECT experiment_id FROM experiments WHERE name = ?", history.ODD)[0]
    (old,) = server.sql("SELECT run_uuid FROM runs WHERE name = 'run 1'")[0]
    new = history.run(server, str(first), 7, {"mlflow.parentRunId": old})
    fresh = history.experiment(server, "since the switch")
    other = history.run(server, fresh, 8)
    model = history.logged_model(server, str(first), new)
    history.trace(server, str(first), new, 9)
    point = {"key": "loss/0", "value": 9.5, "timestamp": history.BEGAN + 99, "step": 99}
    tags = pairs({"judged": "good", "mlflow.note.content": "changed since"})
    server.ask("POST", f"{V2}/runs/log-batch", {"run_id": old, "metrics": [point], "tags": tags})
    name = {"name": "fraud 'ü'"}
    body = {**name, "source": f"models:/{model}", "model_id": model, "run_id": new, "tags": pairs({"a": "b"})}
    version = server.ask("POST", f"{V2}/model-versions/create", body)["model_version"]["version"]
    server.ask("POST", f"{V2}/registered-models/alias", {**name, "alias": "champion", "version": version})
    server.ask("POST", f"{V2}/registered-models/create", {"name": "new one"})
    return {"old": old, "new": new, "other": other, "model": model, "version": str(version)}


def test_what_was_written_since_goes_back_and_there_again(pair: Pair) -> None:
    pair.there.copy()
    theirs = history.experiment(pair.away, "before: somebody else's")
    pair.away.sql("UPDATE experiments SET creation_time = 1 WHERE experiment_id = ?", theirs)
    history.run(pair.away, theirs, 20)
    ids = written_since(pair.away)
    record = pair.back.sync(accept_losses=True)
    assert record.failures == ()
    made = {each.table: each.inserted for each in record.tables if each.inserted}
    assert (made["experiments"], made["runs"], made["logged models"], made["traces"]) == (1, 2, 1, 1)
    assert (made["registered models"], made["model versions"]) == (1, 1)
    home = pair.home
    assert home.sql("SELECT count(*) FROM experiments WHERE name LIKE '%somebody%'") == [(0,)]
    assert home.sql("SELECT version FROM registered_model_aliases WHERE alias = 'champion'") == [(5,)]
    assert sorted(home.sql("SELECT value FROM tags WHERE key IN ('judged', 'mlflow.note.content')")) == [
        ("changed since",),
        ("good",),
    ]
    assert home.sql("SELECT value FROM metrics WHERE step = 99") == [(9.5,)]
    # The parent is the one that was at home all the time.
    assert home.sql(
        "SELECT r.name FROM tags t JOIN runs r ON r.run_uuid = t.value JOIN runs c ON c.run_uuid = t.run_uuid"
        " WHERE t.key = 'mlflow.parentRunId' AND c.name = 'run 7'"
    ) == [("run 1",)]
    proof = pair.back.verify()
    assert proof.passed, proof.differences
    assert pair.back.sync(accept_losses=True).written == 0
    assert pair.there.sync(accept_losses=True).failures == ()
    assert_the_same(pair)
    away = pair.away
    history.run(home, str(home.sql("SELECT experiment_id FROM runs WHERE name = 'run 7'")[0][0]), 9)
    (found,) = home.sql("SELECT run_uuid FROM runs WHERE name = 'run 8'")[0]
    home.ask("POST", f"{V2}/runs/set-tag", {"run_id": found, "key": "again", "value": "there"})
    home.ask("POST", f"{V2}/runs/set-tag", {"run_id": found, "key": "mlflow.user", "value": "another"})
    record = pair.there.sync(accept_losses=True)
    assert {each.table: each.inserted for each in record.tables if each.inserted}["runs"] == 1
    assert away.sql("SELECT value FROM tags WHERE run_uuid = ? AND key = 'again'", ids["other"]) == [
        ("there",)
    ]
    assert_the_same(pair)


def assert_the_same(pair: Pair) -> None:
    """Assert that there is nothing left to do in either direction, and nothing there twice."""
    for moves in (pair.there, pair.back):
        proof = moves.verify()
        assert proof.passed, proof.differences
        assert moves.sync(accept_losses=True).written == 0
    runs = "SELECT name FROM runs WHERE name <> 'run 20' ORDER BY name"
    assert pair.home.sql(runs) == pair.away.sql(runs)


def test_what_has_changed_on_both_sides_stays_and_is_told(pair: Pair) -> None:
    pair.there.copy()
    sides = {}
    for server, value in ((pair.home, "at home"), (pair.away, "away")):
        (run,) = server.sql("SELECT run_uuid FROM runs WHERE name = 'run 1'")[0]
        sides[value] = run
        server.ask("POST", f"{V2}/runs/set-tag", {"run_id": run, "key": "mlflow.user", "value": value})
    record = pair.back.sync(accept_losses=True)
    assert [each.what for each in record.failures] == ["runs"]
    assert "mlflow.user" in record.failures[0].reason
    asked = "SELECT value FROM tags WHERE run_uuid = ? AND key = 'mlflow.user'"
    assert pair.home.sql(asked, sides["at home"]) == [("at home",)]
    assert pair.back.sync(accept_losses=True, overwrite=True).passed
    assert pair.home.sql(asked, sides["at home"]) == [("away",)]


def test_what_the_way_there_had_not_finished_does_not_go_back(pair: Pair) -> None:
    pair.there.copy()
    (run,) = pair.away.sql("SELECT run_uuid FROM runs WHERE name = 'run 1'")[0]
    pair.away.ask("POST", f"{V2}/runs/delete-tag", {"run_id": run, "key": "heavylift.source.noted"})
    pair.away.sql("UPDATE runs SET status = 'RUNNING', end_time = NULL WHERE run_uuid = ?", run)
    pair.away.sql("DELETE FROM tags WHERE run_uuid = ? AND key = 'mlflow.user'", run)
    before = pair.home.sql("SELECT name, status, end_time FROM runs ORDER BY name")
    for deletes in ("keep", "propagate"):
        assert pair.back.sync(accept_losses=True, deletes=deletes).failures == ()
        assert pair.home.sql("SELECT name, status, end_time FROM runs ORDER BY name") == before
        assert pair.home.sql("SELECT count(*) FROM tags WHERE value = 'user1'") == [(1,)]


class Careful(Team):
    """Does not delete for good what has copies: that does not travel with the copies' marks."""

    def _leaves(self) -> bool:
        return False

    do_delete_version = do_delete_model = do_delete_trace = do_delete_dataset = _leaves


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_rounds_of_work_here_and_there(trackers: tuple[Server, Server], seed: int) -> None:
    home, away = trackers
    for number in rounds(home, away, seed):
        for sql in COUNTS:
            assert home.sql(sql) == away.sql(sql), (number, sql)


@pytest.mark.long
def test_rounds_of_work_over_postgresql(store_sandbox: Stack, tmp_path: Path) -> None:
    with ExitStack() as stack:
        stores = stack.enter_context(two_stores(store_sandbox.env, tmp_path.as_uri(), sizes=None))
        home, away = (
            stack.enter_context(over_store(tmp_path / name, _url(store), tmp_path / f"files-{name}"))
            for name, store in (("home", stores.source), ("away", stores.target))
        )
        assert list(rounds(home, away, 5)) == [0, 1, 2, 3]


def _url(store: Connection) -> str:
    return f"postgresql://{store.login}:{store.password}@{store.host}:{store.port}/{store.schema}"


def rounds(home: Server, away: Server, seed: int) -> Iterator[int]:
    """Work and move in turns; yield after each in which both ways have nothing left to do."""
    Team(home, seed).work(40)
    hosts, guests = Careful(home, seed + 20), Careful(away, seed + 50)
    there = Moves(home.connection, away.connection)
    back = replace(there, back=True)
    assert there.copy(accept_losses=True)[0].failures == ()
    for number in range(4):
        team, moves, other = (guests, back, there) if number % 2 == 0 else (hosts, there, back)
        team.work(30)
        record = moves.sync(accept_losses=True, deletes="propagate")
        assert record.failures == (), (record.failures, team.done)
        proof = moves.verify()
        assert proof.passed, (number, proof.differences, team.done)
        assert other.sync(accept_losses=True, deletes="propagate").failures == ()
        proof = other.verify()
        assert proof.passed, (number, proof.differences, team.done)
        for each in (moves, other):
            assert each.sync(accept_losses=True, deletes="propagate").written == 0, (number, each.back)
        yield number


def test_from_a_shell(pair: Pair, tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    for name, server in (("HOME", pair.home), ("AWAY", pair.away)):
        environment[f"AIRFLOW_CONN_{name}"] = json.dumps({"conn_type": "mlflow", "host": server.url})

    def shell(command: str, *more: str) -> tuple[int, dict[str, Any]]:
        given = ["registry", command, "--source-conn=home", "--target-conn=away", "--path=api", *more]
        status, printed, _ = start([*given, f"--evidence={tmp_path.as_uri()}", "--json"], environment).end()
        return status, json.loads(printed or "{}")

    status, document = shell("sync", "--back")
    assert (status, document["error"]["code"]) == (2, "HL-9587")
    assert shell("copy", "--accept-losses")[0] == 0
    (first,) = pair.away.sql("SELECT experiment_id FROM experiments WHERE name = ?", history.ODD)[0]
    history.run(pair.away, str(first), 7)
    status, document = shell("sync", "--back", "--accept-losses")
    assert (status, document["sync"]["source"]) == (0, pair.away.url)
    assert shell("verify", "--back")[0] == 0
    assert pair.home.sql("SELECT count(*) FROM runs WHERE name = 'run 7'") == [(1,)]
    folders = {each.parent.name for each in tmp_path.glob("**/registry-verification-1.json")}
    assert folders == {"home-away.back"}
    assert shell("sync", "--back", "--path=store")[1]["error"]["code"] == "HL-9586"
    assert shell("sync", "--name=history.back")[1]["error"]["code"] == "HL-9588"
    assert shell("sync", "--back", "--follow")[0] == 2
