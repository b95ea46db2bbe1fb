"""The tasks of a spec move a history through the interfaces of two servers, as a schedule runs them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.connections import Connection
from tests.integration.registry.test_tasks import finish, kill_when, wait_for
from tests.support import history
from tests.support.registry_task import start
from tests.support.switched import as_json
from tests.support.tracking_server import Server

V2 = history.V2


@dataclass(frozen=True)
class World:
    """Two servers, and what a spec's tasks do between them."""

    source: Server
    target: Server
    folder: Path

    def spec(self, **fields: Any) -> Path:
        sides = {side: {"connection": side} for side in ("source", "target")}
        spec = {
            "apiVersion": "heavylift/v1",
            "migration": "managed",
            "owner": "team",
            "source": {"platform": "aws", "connection": "source"},
            "target": {"platform": "azure", "connection": "target"},
            "evidence": {"url": (self.folder / "evidence").as_uri()},
            "registries": [{"name": "history", **sides, **fields}],
        }
        file = self.folder / "managed.yaml"
        file.write_text(yaml.safe_dump(spec))
        return file

    @property
    def env(self) -> dict[str, str]:
        known = (self.source.connection, self.target.connection, Connection("evidence", "file"))
        return {f"AIRFLOW_CONN_{each.conn_id.upper()}": as_json(each) for each in known}

    def tasks(self, spec: Path, *names: str, **params: Any) -> list[Any]:
        """Run tasks one after the other; return what each returned, None where it was skipped."""
        return finish(start(spec, self.env, json.dumps(params), *names))

    def fails(self, spec: Path, *names: str, **params: Any) -> str:
        """Run tasks of which the last fails; return what it said."""
        process = start(spec, self.env, json.dumps(params), *names)
        told, _ = process.communicate(timeout=300)
        assert process.returncode, told
        return told


@pytest.fixture
def world(trackers: tuple[Server, Server], tmp_path: Path) -> World:
    source, target = trackers
    history.fill(source)
    return World(source, target, tmp_path)


def test_what_does_not_arrive_is_accepted_first_and_a_killed_copy_is_no_copy(world: World) -> None:
    told = world.fails(world.spec(), "preflight")
    assert "losses-not-accepted" in told
    assert "its secret and that it is active" in told
    assert world.target.sql("SELECT count(*) FROM runs") == [(0,)]

    spec = world.spec(accept_losses=True)
    process = start(spec, world.env, "preflight", "copy")
    wait_for(process, "BEGUN copy")
    kill_when(process, lambda: world.target.sql("SELECT count(*) FROM runs") >= [(2,)])
    looked, copied, synced, proof, again = world.tasks(spec, "preflight", "copy", "sync", "verify", "copy")
    assert (looked["path"], looked["copied"], looked["losses"]) == ("api", False, 1)
    assert (copied["path"], copied["losses"], synced["written"]) == ("api", 1, 0)
    assert (proof["passed"], proof["missing"], proof["extra"]) == (True, 0, 0)
    assert again is None
    assert world.source.sql("SELECT count(*) FROM runs") == world.target.sql("SELECT count(*) FROM runs")


@pytest.mark.long
def test_the_source_goes_on_while_it_is_proved_and_others_things_are_none_of_it(world: World) -> None:
    spec = world.spec(path="api", accept_losses=True)
    world.tasks(spec, "copy")
    ((first,),) = world.source.sql("SELECT experiment_id FROM experiments WHERE name = ?", history.ODD)
    history.run(world.source, str(first), 7)
    world.source.sql("DELETE FROM experiment_tags WHERE experiment_id = ?", first)
    (proof,) = world.tasks(spec, "verify")
    assert (proof["passed"], proof["differences"]) == (True, 0)
    assert proof["kept"] == 1, "the experiment's tags have gone from the source, and stay"

    ((theirs,),) = world.target.sql("SELECT experiment_id FROM experiments WHERE name = ?", history.ODD)
    history.run(world.target, str(theirs), 8)
    told = world.fails(spec, "verify")
    assert "extra run" in told or "run extra" in told
    assert "HL-8220" in told


@pytest.mark.long
def test_what_the_target_refuses_is_no_success(world: World) -> None:
    spec = world.spec(path="api", accept_losses=True)
    # A store in SQLite holds longer names than a server lets in.
    ((run,),) = world.source.sql("SELECT run_uuid FROM runs WHERE name = 'run 1'")
    world.source.sql("INSERT INTO tags (key, value, run_uuid) VALUES (?, 'v', ?)", "k" * 300, run)
    told = world.fails(spec, "copy")
    assert "HL-9610" in told
    assert "HL-9557" in told
    assert run in told
    assert world.source.sql("SELECT count(*) FROM runs") == world.target.sql("SELECT count(*) FROM runs")
    # It is tried again, as a copy, until it has arrived.
    world.source.sql("DELETE FROM tags WHERE key = ?", "k" * 300)
    copied, proof, again = world.tasks(spec, "copy", "verify", "copy")
    assert copied["written"] > 0
    assert proof["passed"]
    assert again is None


@pytest.mark.long
def test_after_a_switch_a_run_brings_back_what_was_written_since(world: World) -> None:
    spec = world.spec(accept_losses=True)
    world.tasks(spec, "copy")
    ((there,),) = world.target.sql("SELECT experiment_id FROM experiments WHERE name = ?", history.ODD)
    history.run(world.target, str(there), 9)
    names = ("preflight", "copy", "sync", "verify")
    looked, copied, synced, proof = world.tasks(spec, *names, bring_back=["history"])
    assert (looked["path"], copied["inserted"] > 0, synced["written"]) == ("api", True, 0)
    assert (proof["passed"], proof["differences"]) == (True, 0)
    assert world.source.sql("SELECT count(*) FROM runs WHERE name = 'run 9'") == [(1,)]
    kept = {path.parent.name for path in (world.folder / "evidence").rglob("registry-verification-*.json")}
    assert kept == {"history.back"}

    # Of a spec that says so each run goes back; the way there knows what has come from there.
    again = world.tasks(world.spec(accept_losses=True, back=True), *names)
    assert (again[1], again[2]["written"], again[3]["passed"]) == (None, 0, True)
    skipped, synced, proof = world.tasks(spec, "copy", "sync", "verify")
    assert (skipped, synced["inserted"], proof["passed"]) == (None, 0, True)

    told = world.fails(spec, "preflight", bring_back=["elsewhere"])
    assert "HL-9611" in told
