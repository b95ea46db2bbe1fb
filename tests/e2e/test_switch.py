"""A cutover and a rollback in a real scheduler, while an application writes through the proxy."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing

import pytest

from heavylift.connections import connection_from_env
from heavylift.evidence.drill_records import DrillRecord, last_drills
from heavylift.evidence.store import open_evidence
from heavylift.spec import Phase
from heavylift.tables.postgres.connect import connect
from sandbox.live_writer import AcknowledgedWriter
from sandbox.servers.envoy import APPLICATION
from tests.e2e.conftest import Site
from tests.e2e.journey import Journey, Run
from tests.e2e.specs import SWITCHED
from tests.support.shell import start

TABLE = """
CREATE SCHEMA switched;
CREATE TABLE switched.entry (id bigint PRIMARY KEY, body text);
INSERT INTO switched.entry SELECT -i, 'before' FROM generate_series(1, 200) i;
"""
INSERT = "INSERT INTO switched.entry VALUES (%s, 'live') ON CONFLICT DO NOTHING"


def do(journey: Journey, side: str, statement: str) -> list[tuple[int]]:
    """Run statements on a side's own database, past the proxy."""
    connection = connection_from_env(f"features_{side}", journey.stack.env)
    with closing(connect(connection, "e2e")) as session:
        cursor = session.execute(statement.encode())
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []


def let_write(journey: Journey, side: str) -> None:
    do(journey, side, f"GRANT USAGE ON SCHEMA switched TO {APPLICATION}")
    do(journey, side, f"GRANT SELECT, INSERT, UPDATE ON switched.entry TO {APPLICATION}")


@pytest.fixture(scope="module")
def moved(site: Site) -> Journey:
    """Return the migration once its database is on the target, and changes flow."""
    journey = site.journey(SWITCHED)
    do(journey, "source", TABLE)
    well(journey.start(Phase.TRANSFER))
    for side in ("source", "target"):
        let_write(journey, side)
    return journey


def well(run: Run) -> Run:
    """Return a run once it has ended well."""
    assert run.end() == "success", run.trouble()
    return run


@pytest.mark.long
def test_an_unrehearsed_cutover_is_not_ready_and_moves_nobody(moved: Journey) -> None:
    run = moved.start(Phase.CUTOVER)
    assert run.end() == "failed"
    states = run.states()
    assert states["gate_cutover-ready.evaluate"] == "failed"
    assert "never rehearsed" in run.trouble()
    assert states["take_turn"] == states["promote"] == "upstream_failed"


def test_there_and_back_under_a_writer(moved: Journey) -> None:
    live = connection_from_env("features_live", moved.stack.env)
    with AcknowledgedWriter(lambda: live, INSERT, sessions=2, pause=0.01) as writer:
        writer.wait_for(50)
        rehearsed = well(moved.start(Phase.CUTOVER, rehearse=True))
        assert rehearsed.states()["promote"] == "skipped"
        drill(moved)
        well(moved.start(Phase.CUTOVER))
        writer.wait_for(50)
        assert ids(moved, "target")
        well(moved.start(Phase.SYNC))
        back = well(moved.start(Phase.ROLLBACK))
        writer.wait_for(50)
    assert not writer.broken
    assert back.states()["roll_back"] == "success"
    assert ids(moved, "source") == writer.acknowledged
    actions = [entry.action for entry in moved.trail()]
    for action in (
        "cutover.rehearsed",
        "failover.drilled",
        "cutover.turn_taken",
        "cutover.at_target",
        "cutover.at_source",
    ):
        assert action in actions


@pytest.mark.long
def test_the_way_back_is_drilled_while_the_soak_is_watched(moved: Journey) -> None:
    """Goes there and back once more, with what runs on a schedule or waits in the triggerer."""
    well(moved.start(Phase.SYNC))
    over = drill(moved)
    assert over.way == "over and back"
    assert over.rto_seconds is not None
    assert over.rpo_seconds is not None
    well(moved.start(Phase.CUTOVER))
    soak = moved.begun_by_itself(Phase.CUTOVER, "soak")
    soak.wait_for(lambda tasks: any(each.state == "deferred" for each in tasks))
    do(moved, "target", "INSERT INTO switched.entry VALUES (-1000, 'there')")
    back = drill(moved)
    assert back.way == "back"
    assert back.back is not None
    assert back.back.carried
    assert back.back.rpo_seconds is not None
    # The drill has carried it already, and moved nobody.
    assert do(moved, "source", "SELECT id FROM switched.entry WHERE id = -1000")
    env = {**moved.stack.env, "PATH": "/usr/bin:/bin"}
    asked = ["status", moved.spec.migration, "--evidence", moved.spec.evidence.url, "--json"]
    connection = moved.spec.evidence.connection
    asked += ["--evidence-conn", connection] if connection else []
    _status, output, _errors = start(asked, env).end()
    told = json.loads(output)["drills"]
    assert (told["last"]["way"], told["last"]["outcome"], told["overdue"]) == ("back", "passed", False)
    soak.wait_for(lambda tasks: any(t.task_id == "soak_nears" and t.state == "success" for t in tasks))
    well(moved.start(Phase.ROLLBACK))
    assert do(moved, "source", "SELECT id FROM switched.entry WHERE id = -1000")
    # The way back was gone, so that nobody has to be told any more.
    well(soak)


def drill(journey: Journey) -> DrillRecord:
    """Let the scheduler drill, and return the record that it has left."""
    well(journey.start(Phase.CUTOVER, "drill"))

    async def read() -> DrillRecord:
        connection = connection_from_env(journey.spec.evidence.connection, journey.stack.env)
        async with open_evidence(journey.spec.evidence.url, connection) as store:
            return (await last_drills(store, journey.spec.migration))[-1].record

    found = asyncio.run(read())
    assert (found.outcome, found.reasons) == ("passed", ())
    return found


def ids(journey: Journey, side: str) -> list[int]:
    return [row[0] for row in do(journey, side, "SELECT id FROM switched.entry WHERE id >= 0 ORDER BY 1")]
