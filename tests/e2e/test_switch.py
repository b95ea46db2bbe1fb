"""A cutover and a rollback in a real scheduler, while an application writes through the proxy."""

from __future__ import annotations

from contextlib import closing

import pytest

from heavylift.connections import connection_from_env
from heavylift.spec import Phase
from heavylift.tables.postgres.connect import connect
from sandbox.live_writer import AcknowledgedWriter
from sandbox.servers.envoy import APPLICATION
from tests.e2e.conftest import Site
from tests.e2e.journey import Journey, Run
from tests.e2e.specs import SWITCHED

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
    for action in ("cutover.rehearsed", "cutover.turn_taken", "cutover.at_target", "cutover.at_source"):
        assert action in actions


def ids(journey: Journey, side: str) -> list[int]:
    return [row[0] for row in do(journey, side, "SELECT id FROM switched.entry WHERE id >= 0 ORDER BY 1")]
