"""A process that is stopped in the middle of freezing holds nobody up for long, and changes nothing later."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from heavylift.errors import TransientError
from heavylift.fencing import Side, Writes
from heavylift.tables import api
from heavylift.tables.postgres import fence_sql
from tests.support.two_databases import TwoDatabases

SOURCE = Side.SOURCE


def test_who_is_stopped_within_a_fence_s_transaction_holds_the_tables_for_seconds_only(
    databases: TwoDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends its session; another attempt freezes, and the one that wakes has frozen nothing."""
    databases.on_source("CREATE TABLE item (id bigint PRIMARY KEY, n int)")
    request = databases.request()
    asyncio.run(api.snapshot_tables(request))
    stopped, wake, ended = threading.Event(), threading.Event(), list[BaseException]()
    note = fence_sql.write_note

    def stopping(session: Any, fenced: Any, epoch: int, writes: Writes) -> None:
        if epoch == 2:
            stopped.set()
            wake.wait(60)
        note(session, fenced, epoch, writes)

    def sleep() -> None:
        try:
            asyncio.run(api.freeze_writes(request, side=SOURCE, epoch=2, within_seconds=20))
        except BaseException as error:
            ended.append(error)

    monkeypatch.setattr(fence_sql, "write_note", stopping)
    thread = threading.Thread(target=sleep, daemon=True)
    thread.start()
    assert stopped.wait(60)
    asyncio.run(api.freeze_writes(request, side=SOURCE, epoch=3, within_seconds=50))
    wake.set()
    thread.join(60)
    assert isinstance(ended[0], TransientError)
    state = asyncio.run(api.writes_state(request, side=SOURCE))
    assert (state.epoch, state.is_frozen) == (3, True)
