"""Sessions that write to a MySQL database all the time: inserts, updates, deletes, keys, rollbacks."""

from __future__ import annotations

import random
import threading
import time
from typing import Any, Protocol

import pymysql

LEDGER = (
    "CREATE TABLE account (id bigint PRIMARY KEY AUTO_INCREMENT, owner varchar(40) NOT NULL,"
    " balance decimal(18,4), note text, at datetime(6), tag varchar(30) UNIQUE)",
    "CREATE TABLE entry (account bigint NOT NULL, number int NOT NULL, amount double, body blob,"
    " PRIMARY KEY (account, number))",
    "CREATE TABLE trail (who varchar(20), what varchar(20), n int)",
)
TABLES = ("account", "entry", "trail")


class Source(Protocol):
    """A database that can be written to."""

    def session(self) -> Any:
        """Open a session of the source."""


class MysqlWriter:
    """Writes in ``sessions`` threads until the block ends; ``commits`` tells how much it has done."""

    def __init__(self, databases: Source, seed: int, sessions: int = 2) -> None:
        self._databases = databases
        self._stop = threading.Event()
        self.commits = 0
        self._threads = [
            threading.Thread(target=self._run, args=(seed * 100 + number, number), daemon=True)
            for number in range(sessions)
        ]

    def __enter__(self) -> MysqlWriter:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, commits: int, seconds: float = 60) -> None:
        """Wait until so much has been committed."""
        until = time.monotonic() + seconds
        while self.commits < commits:
            assert time.monotonic() < until, f"only {self.commits} commits"
            time.sleep(0.02)

    def _run(self, seed: int, number: int) -> None:
        chance = random.Random(seed)
        while not self._stop.is_set():
            try:
                with self._databases.session() as session:
                    session.autocommit(False)
                    while not self._stop.is_set():
                        self._transaction(session, chance, number)
            except pymysql.MySQLError:
                # The server is restarted in some tests, and sessions collide.
                time.sleep(0.2)

    def _transaction(self, session: Any, chance: random.Random, number: int) -> None:
        with session.cursor() as cursor:
            for _ in range(chance.randint(1, 5)):
                self._act(cursor, chance, number)
        if chance.random() < 0.15:
            session.rollback()
            return
        session.commit()
        self.commits += 1
        if chance.random() < 0.3:
            time.sleep(0.002)

    def _act(self, cursor: Any, chance: random.Random, number: int) -> None:
        id_ = chance.randrange(1, 400) * 2 + number
        kind = chance.randrange(8)
        if kind < 3:
            cursor.execute(
                "INSERT INTO account (id, owner, balance, note, at, tag) VALUES (%s, %s, %s, %s, now(6), %s)"
                " ON DUPLICATE KEY UPDATE balance = balance + 1, note = VALUES(note)",
                (id_, f"o{id_}", chance.randrange(10**6) / 100, "tab\tü" * chance.randrange(20), None),
            )
        elif kind == 3:
            cursor.execute("UPDATE account SET tag = %s WHERE id = %s", (f"t{chance.randrange(10**9)}", id_))
        elif kind == 4:
            cursor.execute("DELETE FROM account WHERE id = %s", (id_,))
        elif kind == 5:
            cursor.execute("UPDATE IGNORE account SET id = id + 2 WHERE id = %s", (id_,))
        elif kind == 6:
            cursor.execute(
                "REPLACE INTO entry VALUES (%s, %s, %s, %s)",
                (id_, chance.randrange(3), chance.random(), chance.randbytes(20)),
            )
        else:
            cursor.execute("INSERT INTO trail VALUES (%s, 'x', %s)", (f"w{number}", chance.randrange(50)))
            cursor.execute(
                "DELETE FROM trail WHERE n = %s AND who = %s", (chance.randrange(50), f"w{number}")
            )
