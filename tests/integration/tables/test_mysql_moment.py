"""The moment of a MySQL or MariaDB source: writers are held up for seconds at most, whoever is in the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest

from heavylift.errors import ServerUnavailableError
from heavylift.tables.engine import Work
from heavylift.tables.mysql import moment
from heavylift.tables.mysql.connect import execute
from tests.support.mysql_twin import MysqlTwin

ROWS = ("CREATE TABLE item (id int PRIMARY KEY, n int)", "INSERT INTO item VALUES (1, 1), (2, 1)")


def until(holds: Callable[[], object]) -> None:
    limit = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < limit, "never came"
        time.sleep(0.02)


@contextmanager
def transaction(twin: MysqlTwin) -> Iterator[Any]:
    with closing(twin.session()) as session:
        session.autocommit(False)
        yield session


@contextmanager
def one_waits_for_the_other(twin: MysqlTwin) -> Iterator[tuple[Any, ThreadPoolExecutor]]:
    """A transaction that has a row, and a statement of another that waits for it."""
    twin.on_source(*ROWS)
    with transaction(twin) as first, transaction(twin) as second, ThreadPoolExecutor(2) as threads:
        execute(first, "UPDATE item SET n = 2 WHERE id = 1")
        waiting = threads.submit(execute, second, "UPDATE item SET n = 3 WHERE id = 1")
        until(lambda: waits_for_a_row(twin, second.thread_id()))
        yield first, threads
        first.rollback()
        waiting.result(30)


def waits_for_a_row(twin: MysqlTwin, session: int) -> bool:
    return bool(
        twin.on_source(
            "SELECT 1 FROM information_schema.innodb_trx"
            f" WHERE trx_mysql_thread_id = {session} AND trx_state = 'LOCK WAIT'"
        )
    )


def test_a_deadlock_with_the_lock_ends_with_its_turn(twin: MysqlTwin) -> None:
    """The second waits for the first one's row, we for the second's statement, and the first for us."""
    with one_waits_for_the_other(twin) as (first, threads):
        taking = threads.submit(moment_of, twin)
        until(
            lambda: twin.on_source(
                "SELECT 1 FROM information_schema.processlist"
                " WHERE info LIKE 'FLUSH TABLES%' AND state LIKE 'Waiting%'"
            )
        )
        began = time.monotonic()
        execute(first, "UPDATE item SET n = 2 WHERE id = 2")
        first.commit()
        # A statement that the server itself had to end would have taken innodb_lock_wait_timeout, 50 s.
        assert time.monotonic() - began < 20
        assert taking.result(60)


def moment_of(twin: MysqlTwin) -> object:
    with moment.one_moment(twin.source, (), 2, Work()) as taken:
        return taken.place


def test_whoever_is_in_the_way_is_named_and_writers_go_on(
    twin: MysqlTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moment, "PATIENCE_SECONDS", 0.0)
    with one_waits_for_the_other(twin) as (first, _threads):
        with pytest.raises(ServerUnavailableError, match="HL-6419") as error:
            moment_of(twin)
        assert f"connection {first.thread_id()} (user " in error.value.got
        assert "UPDATE" not in str(error.value)
        twin.on_source("INSERT INTO item VALUES (3, 1)")
    assert twin.on_source("SELECT count(*) FROM item") == [(3,)]


def test_a_request_to_stop_ends_the_tries(twin: MysqlTwin) -> None:
    work = Work(stop=threading.Event())
    with one_waits_for_the_other(twin), ThreadPoolExecutor(1) as threads:
        taking = threads.submit(lambda: moment.one_moment(twin.source, (), 1, work).__enter__())
        work.stop.set()
        assert "a request to stop" in str(taking.exception(30))
