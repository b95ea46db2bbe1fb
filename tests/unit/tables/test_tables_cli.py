"""``heavylift tables``: what each command does, prints, leaves as evidence, and exits with."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from heavylift.cli import app
from heavylift.cli.run import run
from heavylift.errors import ConflictError, ServerUnavailableError
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.store import open_evidence
from heavylift.tables import wiring
from heavylift.tables.fences import acts
from heavylift.tables.requests import TablesRequest
from tests.support.fake_tables import FakeEngine, wait_until

SIDES = ["--source-conn", "features_source", "--target-conn", "features_target"]
SECRET = "w0rd-0f-n0body"


@pytest.fixture
def seen(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> list[TablesRequest]:
    """Return the requests for which an engine was wanted."""
    found: list[TablesRequest] = []

    def engine_for(request: TablesRequest) -> FakeEngine:
        found.append(request)
        return engine

    monkeypatch.setattr(wiring, "engine_for", engine_for)
    return found


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setattr(wiring, "engine_for", lambda _request: fake)
    monkeypatch.setattr(acts, "demand_direction", lambda _request: None)
    for name in ("features_source", "features_target"):
        value = {"conn_type": "postgres", "host": "h", "schema": "db", "login": "u", "password": SECRET}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(value))
    store = {"conn_type": "file", "extra": {"path": str(tmp_path)}}
    monkeypatch.setenv("AIRFLOW_CONN_EVIDENCE", json.dumps(store))
    return fake


def tables(*arguments: str) -> int:
    return run(app, ["tables", *arguments[:1], *SIDES, *arguments[1:]])


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


def actions(folder: Path, migration: str = "shell") -> list[str]:
    async def read() -> list[str]:
        async with open_evidence(folder.as_uri()) as store:
            return [entry.action async for entry in AuditTrail(store, migration).entries()]

    return asyncio.run(read())


def test_a_snapshot_is_copied_and_proved(
    engine: FakeEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tables("snapshot", "--tables", "public.*", "--json") == 0
    told = document(capsys)
    assert (told["snapshot"]["rows"], told["verification"]["passed"], told["exit_status"]) == (10, True, 0)
    assert told["summary"]["passed"] is True
    assert (tmp_path / told["evidence"]).is_file()
    assert engine.target == engine.source
    assert actions(tmp_path) == [
        "database.checked", "database.copied", "database.verified", "run.finished",
    ]  # fmt: skip
    assert not any(SECRET in file.read_text() for file in tmp_path.rglob("*.json"))


def test_status_of_the_migration_knows_what_the_shell_did(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    tables("snapshot", "--migration", "mine", "--database", "features")
    capsys.readouterr()
    assert run(app, ["status", "mine"]) == 0
    assert "database  features: 10 rows copied; verified 1 table: equal" in capsys.readouterr().out


def test_what_stands_in_the_way_touches_nothing(
    engine: FakeEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.blockers = ("wal_level is replica",)
    assert tables("snapshot") == 2
    shown = capsys.readouterr().out
    assert "BLOCKER" in shown
    assert "to do     mend it" in shown
    assert engine.target == {}
    assert tables("preflight") == 1
    assert tables("snapshot", "--dry-run") == 1
    engine.blockers = ()
    assert tables("preflight") == 0
    assert tables("snapshot", "--dry-run") == 0
    assert engine.target == {}
    assert set(actions(tmp_path)) == {"database.checked"}


def test_every_command_finds_the_stream_that_the_snapshot_began(
    engine: FakeEngine, seen: list[TablesRequest]
) -> None:
    tables("snapshot", "--tables", "public.*", "sales.*", "--exclude", "public.tmp*")
    tables("sync", "--tables", "public.*")
    assert {request.stream for request in seen} == {"shell/features_source-features_target/forward"}
    options = seen[0].options
    assert (options.tables, options.exclude) == (("public.*", "sales.*"), ("public.tmp*",))
    assert seen[-1].run.phase == "sync"


def test_a_sync_applies_and_tells_the_rest(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert tables("sync") == 2
    assert "nothing noted of it" in capsys.readouterr().err
    tables("snapshot")
    engine.write(3, "changed")
    capsys.readouterr()
    assert tables("sync", "--dry-run", "--json") == 0
    assert document(capsys)["streams"][0]["lag_rows"] == 1
    assert tables("sync", "--json", "--max-lag", "5s") == 0
    assert document(capsys)["sync"]["updates"] == 1
    engine.write(4, "changed")
    assert tables("sync", "--verify", "--json") == 0
    assert document(capsys)["verification"]["passed"] is True


def test_a_sync_whose_time_is_over_may_be_run_again(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables("snapshot")
    sync = engine.sync
    monkeypatch.setattr(engine, "sync", lambda *a: sync(*a).model_copy(update={"caught_up": False}))
    assert tables("sync", "--max-seconds", "1") == 3


def test_a_snapshot_can_begin_anew(engine: FakeEngine) -> None:
    tables("snapshot")
    engine.target[77] = "left by an earlier stream"
    assert tables("snapshot") == 1
    assert tables("snapshot", "--anew") == 0


def test_rows_that_differ_are_counted_and_kept(
    engine: FakeEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables("snapshot")
    engine.target[77] = "somebody else's"
    capsys.readouterr()
    assert tables("verify", "--frozen") == 1
    assert "NOT EQUAL: 1 extra, in public.features; 10 rows" in capsys.readouterr().out
    assert tables("snapshot") == 1
    del engine.target[77]
    assert tables("verify") == 0


def test_a_drain_that_does_not_arrive_fails(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    tables("snapshot")
    engine.write(3, "last")
    capsys.readouterr()
    assert tables("drain", "--within", "5", "--json") == 0
    assert document(capsys)["drain"]["sequences"] == {"public.features_id_seq": 1042}
    engine.drains = False
    assert tables("drain") == 1


def test_the_way_back(
    engine: FakeEngine, seen: list[TablesRequest], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables("snapshot")
    assert tables("reverse", "sync") == 2
    assert tables("reverse", "prepare") == 0
    assert engine.calls[-1] == "forward.prepare_reverse"
    engine.write(5, "back")
    for act in ("sync", "drain", "status", "verify"):
        assert tables("reverse", act) == 0, act
    assert seen[-1].stream.endswith("/reverse")
    assert seen[-1].source.connection.conn_id == "features_target"
    capsys.readouterr()
    assert tables("status", "--json") == 0
    assert [each["direction"] for each in document(capsys)["streams"]] == ["forward", "reverse"]
    assert tables("reverse", "end") == 0
    assert actions(tmp_path)[-1] == "database.stream_ended"


def test_status_without_a_stream_says_what_to_do(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tables("status") == 2
    tables("snapshot")
    capsys.readouterr()
    assert tables("status") == 0
    assert "behind    0 B, 0 rows" in capsys.readouterr().out


def test_following_goes_on_until_it_is_interrupted(
    engine: FakeEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables("snapshot")
    # Whoever runs the tests in the background of a shell has them ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    engine.fail = [ServerUnavailableError("syncing", got="a closed connection", code="6012")]
    capsys.readouterr()

    def interrupt() -> None:
        engine.write(3, "while it follows")
        wait_until(lambda: engine.target.get(3) == "while it follows")
        os.kill(os.getpid(), signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    assert tables("sync", "--follow", "--pause", "0.01", "--json") == 3
    interrupter.join()
    signal.signal(signal.SIGINT, before)
    out, err = capsys.readouterr()
    assert json.loads(out)["changes"] == 1
    assert "going on in 1 s" in err
    assert actions(tmp_path)[-1] == "database.synced"


def test_what_no_waiting_mends_ends_the_following(engine: FakeEngine) -> None:
    tables("snapshot")
    engine.fail = [ConflictError("syncing", got="a later run", code="6022")]
    assert tables("sync", "--follow") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sync", "--max-lag", "soon"), "HL-6352"),
        (("snapshot", "--max-retained-wal", "much"), "HL-6352"),
        (("snapshot", "--database", "a/b"), "HL-6351"),
        (("snapshot", "--migration", ""), "HL-6351"),
    ],
)
def test_what_cannot_be_read_is_refused(
    engine: FakeEngine, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tables(*arguments) == 2
    assert said in capsys.readouterr().err
    assert engine.calls == []


def test_a_connection_that_is_no_database_is_refused(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FEATURES_TARGET", json.dumps({"conn_type": "aws"}))
    assert tables("snapshot") == 2
    assert "HL-6350" in capsys.readouterr().err


def test_a_missing_connection_is_a_usage_error() -> None:
    assert run(app, ["tables", "snapshot", "--source-conn", "features_source"]) == 2
