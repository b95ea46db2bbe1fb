"""MLflow's database in MySQL moves to MySQL as any other: servers over both then tell the same."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from heavylift.tables.engine import Work
from tests.support import history
from tests.support.mysql_store import MysqlStore
from tests.support.mysql_twin import ENGINE, MysqlTwin
from tests.support.registry_seen import Eyes
from tests.support.registry_team import Team
from tests.support.tracking_server import over_store


@pytest.mark.long
def test_a_server_over_the_target_goes_on_where_the_sources_stopped(twin: MysqlTwin, tmp_path: Path) -> None:
    store = MysqlStore(twin.source)
    store.make_tables()
    request = twin.request()
    with ExitStack() as stack:
        # Artifacts go through the servers: what names them is the same on both sides.
        files = tmp_path / "files"
        source = stack.enter_context(over_store(tmp_path / "source", store.url, files))
        history.fill(source)
        team = Team(source, 5)
        assert ENGINE.snapshot(request, Work()).rows > 100
        team.work(40)
        assert ENGINE.sync(request, Work()).inserts > 0
        twin.assert_proved(frozen=False)
        team.work(20)
        drained = ENGINE.drain(request, Work(), within_seconds=60)
        assert (drained.reached, drained.findings) == (True, ())
        twin.assert_proved()
        target = stack.enter_context(over_store(tmp_path / "target", MysqlStore(twin.target).url, files))
        assert Eyes(target, own=True).see() == Eyes(source, own=True).see()
        seen = Eyes(target, own=True).see()
        Team(target, 6).work(20)
        assert Eyes(target, own=True).see() != seen
