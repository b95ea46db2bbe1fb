"""Sessions that write to a database all the time, as an application does: also rolled back, also keys."""

from __future__ import annotations

import random
import threading
from contextlib import closing

import psycopg

from heavylift.connections import Connection
from heavylift.tables.postgres.connect import connect

LEDGER = """
CREATE TABLE account (id bigint PRIMARY KEY, owner text NOT NULL, balance numeric, note text, at timestamptz
    DEFAULT now());
CREATE TABLE entry (account bigint NOT NULL, number int NOT NULL, amount numeric, body text,
    PRIMARY KEY (account, number));
CREATE TABLE event (kind text, payload jsonb);
ALTER TABLE account ALTER note SET STORAGE EXTERNAL;
ALTER TABLE event REPLICA IDENTITY FULL;
CREATE UNIQUE INDEX account_owner ON account (owner);
"""
TABLES = ("account", "entry", "event")


class LiveWriter:
    """Writes to the tables of :data:`LEDGER` in several sessions until it is stopped; counts its commits.

    Errors of a server that goes away are part of its life; it connects again.
    """

    def __init__(self, connection: Connection, seed: int, *, sessions: int = 2, keys: int = 300) -> None:
        self._connection = connection
        self._keys = keys
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._live, args=(random.Random(seed * 100 + number),), daemon=True)
            for number in range(sessions)
        ]
        self.commits = 0
        self.unexpected: list[BaseException] = []

    def __enter__(self) -> LiveWriter:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End all sessions; what is committed is committed."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, commits: int) -> None:
        """Wait until so many transactions were committed in all."""
        while self.commits < commits and not self.unexpected:
            self._stop.wait(0.01)
        assert not self.unexpected, self.unexpected

    def _live(self, rng: random.Random) -> None:
        while not self._stop.is_set():
            try:
                with closing(connect(self._connection, "writer", autocommit=False)) as session:
                    session.execute("SET search_path = public")
                    session.commit()
                    self._write(session, rng)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                self._stop.wait(0.05)
            except Exception as error:
                if "HL-6012" not in str(error):
                    self.unexpected.append(error)
                    return
                self._stop.wait(0.05)

    def _write(self, session: psycopg.Connection[tuple[object, ...]], rng: random.Random) -> None:
        while not self._stop.is_set():
            try:
                for _ in range(rng.randint(1, 8)):
                    self._step(session, rng)
            except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected):
                session.rollback()
                continue
            if rng.random() < 0.15:
                session.rollback()
            else:
                session.commit()
                self.commits += 1

    def _step(self, session: psycopg.Connection[tuple[object, ...]], rng: random.Random) -> None:
        key, other = rng.randrange(self._keys), rng.randrange(self._keys)
        long = rng.choice(("x", "long " * rng.randint(500, 2000)))
        kind = rng.random()
        if kind < 0.3:
            session.execute(
                "INSERT INTO account VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [key, f"o{rng.randrange(self._keys * 3)}", rng.choice([1.5, None, "NaN"]), long],
            )
        elif kind < 0.5:
            session.execute("UPDATE account SET balance = balance + 1 WHERE id = %s", [key])
        elif kind < 0.6:
            session.execute("UPDATE account SET id = %s WHERE id = %s", [other, key])
        elif kind < 0.65:
            session.execute("UPDATE account SET note = %s WHERE id = %s", [long, key])
        elif kind < 0.72:
            session.execute("DELETE FROM account WHERE id = %s", [key])
        elif kind < 0.85:
            session.execute(
                "INSERT INTO entry VALUES (%s, %s, %s, %s) ON CONFLICT (account, number) DO UPDATE"
                " SET amount = entry.amount + 1",
                [key, rng.randrange(3), key, "tab\tline\n\\N"],
            )
        elif kind < 0.9:
            session.execute("DELETE FROM entry WHERE account = %s", [key])
        elif kind < 0.97:
            session.execute("INSERT INTO event VALUES (%s, '{\"a\": [1, null]}')", [f"k{key % 5}"])
        else:
            session.execute(
                "DELETE FROM event WHERE ctid IN (SELECT ctid FROM event WHERE kind = %s LIMIT 2)",
                [f"k{key % 5}"],
            )
